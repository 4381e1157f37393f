#ifndef LOYALTY_HEX_H
#define LOYALTY_HEX_H

#include <stddef.h>

/* The value of a hexadecimal digit, of either case, or -1: it is none. */
int hex_value(char c);

/* n bytes as 2 n lower-case digits to out, which gets no NUL; the end of them. */
char *hex_text(char *out, const void *bytes, size_t n);

#endif
