#!/bin/sh
# SPDX-License-Identifier: MIT
#
# docs/tutorial.md against examples/tutorial/: each ```c block is the program that the
# link above it names, byte for byte, and the ```sh block after it prints the ```text
# block after that.  The commands run as a reader types them, in a folder of their own.

. "${top_srcdir-.}/tests/programs.sh"
page=$top_srcdir/docs/tutorial.md
programs=$top_srcdir/examples/tutorial
backend=page
shown=/dev/null

# What timeout started is in a process group of its own.
end_groups()
{
	for pid in $started; do
		alive "$pid" && kill -KILL -- "-$pid"
	done 2>/dev/null
	clean_up
}
trap end_groups EXIT

# The blocks of the page: NAME.c, NAME.sh and NAME.text, and NAME in the file listings.
split_page()
{
	awk '
	/^\[examples\/tutorial\/[a-z_]*\.c\]\(.*\)$/ {
		name = $0
		gsub(/^.*\/|\.c\)$/, "", name)
		next
	}
	/^```/ && kind != "" {
		kind = ""
		next
	}
	/^```/ {
		kind = substr($0, 4)
		if (kind !~ /^(c|sh|text)$/ || name == "" || (name, kind) in seen) {
			printf "tutorial.md:%d: a block that belongs to no listing\n", FNR
			exit bad = 1
		}
		seen[name, kind] = 1
		if (kind == "c")
			print name >"listings"
		printf "" >(name "." kind)
		next
	}
	kind != "" { print >(name "." kind) }
	END {
		if (!bad && kind != "")
			print "tutorial.md: the last block has no end"
		exit bad || kind != ""
	}
	' "$page"
}

test_listings()
{
	split_page && test -s listings
	say $? 'every block of docs/tutorial.md belongs to a listing'
	for name in $(cat listings); do
		cmp "$name.c" "$programs/$name.c" && test -s "$name.sh" && test -s "$name.text"
		say $? "the listing of examples/tutorial/$name.c, its commands and its output"
	done
	for source in "$programs"/*.c; do
		name=${source##*/}
		grep -qx "${name%.c}" listings
		say $? "docs/tutorial.md shows examples/tutorial/$name"
	done
}

# The folder has what a build folder has, and what a block leaves behind is ended.
in_folder()
{
	mkdir -p "$1/examples" && ln -s "$examples/tutorial" "$1/examples/tutorial" &&
		cd "$1" && {
		echo "trap 'kill \$(jobs -p) 2>/dev/null' EXIT"
		cat "$work/$2"
	} >commands && exec timeout -k 2 25 sh commands
}

# All at once: they sleep for seconds.
start_listings()
{
	pids=
	for name in $(cat listings); do
		case $name in
		lines | shutdown) have socat socat || continue ;;
		esac
		start "$backend.$name" in_folder "$backend-$name" "$name.sh"
		pids="$pids $name:$pid"
	done
	eval "pids_$backend=\$pids"
}

finish_listings()
{
	eval "pids=\$pids_$backend"
	for name_pid in $pids; do
		name=${name_pid%:*}
		shown="$backend.$name.out $backend.$name.err"
		finish "${name_pid#*:}" && diff "$name.text" "$backend.$name.out"
		say $? "examples/tutorial/$name prints what docs/tutorial.md says"
	done
}

test_listings
on_each_backend start_listings
for backend in $backends; do
	finish_listings
done
done_testing
