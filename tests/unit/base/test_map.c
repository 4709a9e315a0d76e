/* A map against a list: what was added is found, what was removed is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/map.h"
#include "base/sys.h"

#define COUNT 5000

static const uint64_t secret[2] = { 0x0706050403020100u, 0x0f0e0d0c0b0a0908u };

struct thing {
    struct xf_map_item item;
    char key[24];
    bool seen;
};

static struct thing things[COUNT];

static void fill(struct xf_map *m)
{
    xf_map_init(m, secret);
    for (int i = 0; i < COUNT; i++) {
        int len = snprintf(things[i].key, sizeof things[i].key, "key %d", i);

        things[i].seen = false;
        assert_true(xf_map_add(m, &things[i].item, things[i].key, (size_t)len));
    }
}

static struct xf_map_item *find(const struct xf_map *m, const char *key)
{
    return xf_map_find(m, key, strlen(key));
}

static void what_was_added_is_found_until_it_is_removed(void **state)
{
    struct xf_map m;

    (void)state;
    fill(&m);
    assert_int_equal(m.count, COUNT);
    for (int i = 0; i < COUNT; i += 2)
        xf_map_remove(&m, &things[i].item);
    assert_int_equal(m.count, COUNT / 2);
    for (int i = 0; i < COUNT; i++)
        assert_ptr_equal(find(&m, things[i].key),
                         i % 2 ? &things[i].item : NULL);
    assert_null(find(&m, "key"));
    assert_null(find(&m, ""));
    xf_map_clear(&m);
    assert_null(find(&m, "key 1"));
}

static void a_walk_meets_each_once_and_may_remove_it(void **state)
{
    struct xf_map m;
    struct xf_map_item *item, *next;
    size_t met = 0;

    (void)state;
    fill(&m);
    for (item = xf_map_next(&m, NULL); item; item = next) {
        struct thing *thing = (struct thing *)item;

        assert_false(thing->seen);
        thing->seen = true;
        met++;
        next = xf_map_next(&m, item);
        if (met % 3)
            xf_map_remove(&m, item);
    }
    assert_int_equal(met, COUNT);
    assert_int_equal(m.count, COUNT / 3);
    xf_map_clear(&m);
    assert_null(xf_map_next(&m, NULL));
}

static void keys_are_bytes_of_any_length(void **state)
{
    static const char bytes[] = "\0\0\1\0\0\1\0\0\0";
    struct xf_map_item items[sizeof bytes];
    struct xf_map m;

    (void)state;
    xf_map_init(&m, secret);
    for (size_t len = 0; len < sizeof bytes; len++)
        assert_true(xf_map_add(&m, &items[len], bytes, len));
    for (size_t len = 0; len < sizeof bytes; len++)
        assert_ptr_equal(xf_map_find(&m, bytes, len), &items[len]);
    xf_map_clear(&m);
}

/* The vectors of the reference implementation: keys 00, 00 01, ... */
static void hashes_are_those_of_siphash(void **state)
{
    static const struct {
        size_t len;
        uint64_t hash;
    } vectors[] = {
        { 0, 0x726fdb47dd0e0e31u },  { 1, 0x74f839c593dc67fdu },
        { 7, 0xab0200f58b01d137u },  { 8, 0x93f5f5799a932462u },
        { 15, 0xa129ca6149be45e5u }, { 63, 0x958a324ceb064572u },
    };
    uint8_t bytes[64];

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        struct xf_map m;
        struct xf_map_item item;

        xf_map_init(&m, secret);
        assert_true(xf_map_add(&m, &item, bytes, vectors[i].len));
        assert_true(item.hash == vectors[i].hash);
        xf_map_clear(&m);
    }
}

static int no_memory(enum xf_sys_call call, void *ctx)
{
    (void)ctx;
    return call == XF_SYS_ALLOC ? 12 /* ENOMEM */ : 0;
}

static void without_memory_nothing_is_added_and_nothing_lost(void **state)
{
    struct xf_map_item items[17];
    uint8_t keys[17];
    struct xf_map m;

    (void)state;
    xf_map_init(&m, secret);
    for (size_t i = 0; i < 16; i++) {
        keys[i] = (uint8_t)i;
        assert_true(xf_map_add(&m, &items[i], &keys[i], 1));
    }
    keys[16] = 16;
    xf_sys_set_gate(no_memory, NULL);
    assert_false(xf_map_add(&m, &items[16], &keys[16], 1));
    xf_sys_set_gate(NULL, NULL);
    assert_int_equal(m.count, 16);
    for (size_t i = 0; i < 16; i++)
        assert_ptr_equal(xf_map_find(&m, &keys[i], 1), &items[i]);
    assert_true(xf_map_add(&m, &items[16], &keys[16], 1));
    xf_map_clear(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_added_is_found_until_it_is_removed),
        cmocka_unit_test(a_walk_meets_each_once_and_may_remove_it),
        cmocka_unit_test(keys_are_bytes_of_any_length),
        cmocka_unit_test(hashes_are_those_of_siphash),
        cmocka_unit_test(without_memory_nothing_is_added_and_nothing_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
