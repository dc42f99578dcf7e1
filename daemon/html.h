/* SPDX-License-Identifier: GPL-2.0-only */
/* Writes HTML in which texts stay texts, whoever chose them. */
#ifndef KVMWARDEN_HTML_H
#define KVMWARDEN_HTML_H

#include <stdint.h>
#include <stdio.h>

/* Failures of out are left to ferror(). */

/*
 * Text as it may stand in an element, or in an attribute between double or single quotes. Control
 * characters, those that turn the direction of writing, and bytes that are not UTF-8 come as \xNN.
 */
void kw_html_text(FILE *out, const char *text);
/* The same; a line may break behind each '/'. Not for attributes. */
void kw_html_path(FILE *out, const char *path);
/* "12 345", with blanks at which no line breaks. */
void kw_html_number(FILE *out, uint64_t number);
/* Of RFC 3339 in UTC "2026-11-23 15:04:05", as an element; of "" a dash. */
void kw_html_time(FILE *out, const char *rfc3339);

#endif
