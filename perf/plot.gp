# SPDX-License-Identifier: GPL-2.0-only
#
# Plots of what scripts/bench measured: gnuplot -e "results='perf/results/latest'" plot.gp

set terminal svg size 800,400 noenhanced background rgb "white" font "sans,11"
set style data histograms
set style histogram clustered gap 1
set style fill solid 0.8 noborder
set key above
set grid ytics
set yrange [0:1.2<*]
set xtics rotate by -30

do for [figure in "map_insns map_touch_insns unmap_insns table_bytes"] {
	file = results . "-" . figure . ".dat"
	if (system("test -s " . file . " && echo yes") ne "yes") { continue }
	set output results . "-" . figure . ".svg"
	set title figure . ", one device: shared / separate"
	set ylabel "ratio"
	plot file using ($2/$3):xtic(1) title "shared / separate" lc rgb "#3b7dd8", \
		1 with lines lc rgb "#888888" title "separate = 1"
}

file = results . "-ranges.dat"
if (system("test -s " . file . " && echo yes") eq "yes") {
	set output results . "-ranges.svg"
	set title "Map of the same memory in N ranges"
	set xlabel "ranges"
	set ylabel "instructions"
	set yrange [0:*]
	set style data linespoints
	set logscale x 4
	set xtics norotate
	plot file using 1:2 with linespoints title "shared" lc rgb "#3b7dd8", \
		file using 1:3 with linespoints title "separate" lc rgb "#d8733b"
}
