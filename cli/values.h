/* The values of options: each reader puts one where it belongs, or says what
 * it expected. Which option takes which is left to the table of options. */
#ifndef XF_CLI_VALUES_H
#define XF_CLI_VALUES_H

#include <stdbool.h>
#include <stdint.h>

#define XF_FROM_MAX 64 /* entries of a list of --from */

/* Returns NULL, or what was expected, for a message. */
typedef const char *xf_value_reader(void *field, const char *value);

xf_value_reader xf_value_text;   /* const char *, not empty */
xf_value_reader xf_value_flag;   /* bool: yes, no */
xf_value_reader xf_value_list;   /* const char *[XF_LIST_MAX], grows */
xf_value_reader xf_value_from;   /* const char *[XF_FROM_MAX + 1], grows */
xf_value_reader xf_value_via;    /* enum xf_via[3] */
xf_value_reader xf_value_size;   /* uint64_t */
xf_value_reader xf_value_rate;   /* uint64_t, from 1 */
xf_value_reader xf_value_block;  /* uint32_t */
xf_value_reader xf_value_ms;     /* int, from seconds */
xf_value_reader xf_value_wait;   /* int64_t, from seconds or "ever" */
xf_value_reader xf_value_age;    /* int64_t, seconds, from "0", "30m", "7d" */
xf_value_reader xf_value_count;  /* uint64_t, from 1 */
xf_value_reader xf_value_ports;  /* struct xf_config: both ports */
xf_value_reader xf_value_stanza; /* enum xf_stanza */
xf_value_reader xf_value_exists; /* enum xf_exists */
xf_value_reader xf_value_hash;   /* const char * */

/* "12", "64k", "1G"; powers of 1024. */
bool xf_value_read_size(const char *text, uint64_t *out);

#endif
