#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # helper.bash has the variables; tests are processes
# The Debian package, as it is built; what it does on a system is in tests/system/driver.

load helper

@test "every man page is laid out without a complaint, and says what it is" {
	local page
	make -s man
	for page in build/man/*; do
		run -0 --separate-stderr env LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -l "$page"
		# A table may not fit well into so few columns; all else is a mistake.
		same "" "$(grep -v "adjust line\|break line\|around line\|table squeezed\|table wider" <<<"$stderr" || :)"
		has "NAME"
		run -0 lexgrog "$page"
		has "${page##*/man/}"
		has " - "
	done
	same 6 "$(find build/man -type f | wc -l)"
}

@test "the package has what make install installs, and lintian finds nothing" {
	local deb root=$work/root
	[ "$EUID" = 0 ] || skip "needs root, as lintian and dpkg-buildpackage are run as on a builder"
	deb=$(tests/system/package)
	make -s install DESTDIR="$root"
	(cd "$root" && find . -type f -printf '%P\n') | sed 's,^usr/lib/systemd/system,lib/systemd/system,; s,\(/man/.*\),\1.gz,' |
		LC_ALL=C sort >"$work/installed"
	dpkg-deb --fsys-tarfile "$deb" | tar -t | sed '/\/$/d; s,^\./,,' |
		grep -v '^usr/share/doc/' | sed 's,^usr/lib/systemd/system,lib/systemd/system,' | LC_ALL=C sort >"$work/packaged"
	same "$(<"$work/installed")" "$(<"$work/packaged")"
	run -0 lintian --allow-root --fail-on error,warning "$deb"
	same "" "$output"
}
