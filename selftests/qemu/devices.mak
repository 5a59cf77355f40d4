# SPDX-License-Identifier: GPL-2.0-only
#
# What scripts/boot gives the emulated host. The rest of QEMU's devices are left out.
CONFIG_Q35=y
CONFIG_HPET=y
CONFIG_AMD_IOMMU=y
CONFIG_EDU=y
CONFIG_IOMMU_DMA_TEST=y
CONFIG_IOMMU_TESTDEV=y
CONFIG_NVME_PCI=y
CONFIG_IGB_PCI_EXPRESS=y
CONFIG_E1000E_PCI_EXPRESS=y
CONFIG_VIRTIO_PCI=y
CONFIG_VIRTIO_9P=y
CONFIG_VIRTIO_BLK=y

# Without these it does not link or start: hw/i386/acpi-build.c and hw/nvme take them for granted.
CONFIG_PCIE_PORT=y
CONFIG_PXB=y
CONFIG_CXL=y
CONFIG_CXL_MEM_DEVICE=y
CONFIG_SPDM_SOCKET=y
