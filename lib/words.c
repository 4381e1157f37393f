#include <string.h>

#define WORDS_TEXTS
#include "words.h"

int words_language;

const char *
words_text(enum word w)
{
	return texts[words_language][w];
}

static const char *
value_of(const struct word_value *v, const char *name, size_t len)
{
	for (; v->name != NULL; v++)
		if (strncmp(v->name, name, len) == 0 && v->name[len] == '\0')
			return v->text != NULL ? v->text : "";
	return "";
}

void
words_put(struct buf *b, enum word w, const struct word_value *values)
{
	const char *s = words_text(w), *many = strstr(s, " | "), *end, *open;

	end = s + strlen(s);
	if (many != NULL && strcmp(value_of(values, "n", 1), "1") == 0)
		end = many;
	else if (many != NULL)
		s = many + 3;
	while ((open = memchr(s, '{', (size_t)(end - s))) != NULL) {
		buf_add(b, s, (size_t)(open - s));
		s = strchr(open, '}') + 1;
		buf_str(b, value_of(values, open + 1, (size_t)(s - open) - 2));
	}
	buf_add(b, s, (size_t)(end - s));
}
