/* Whether the conversation is told right, and nothing else is. */
#include "cli_test.h"

#include "markup.h"
#include "trace.h"

#define U1 " from='user1@host/spark' to='user2@host/spark'"
#define U2 " from='user2@host/spark' to='user1@host/spark'"
#define BYTESTREAMS "http://jabber.org/protocol/bytestreams"
#define IBB "http://jabber.org/protocol/ibb"

/* The founding document's eight steps. */
static const struct {
    const char *stanza;
    bool outgoing;
    const char *told;
} steps[] = {
    { "<iq id='126' type='set'" U1 "><si xmlns='http://jabber.org/protocol/si'"
      " id='jsi_1'><file name='RunSpark.lnk' "
      "size='597'/><option><value>" BYTESTREAMS
      "</value></option><option><value>" IBB "</value></option></si></iq>",
      true,
      "1- user1@host/spark offers user2@host/spark the file RunSpark.lnk "
      "(597 bytes), by bytestreams or in-band\n" },
    { "<iq id='126' type='result'" U2 "><si xmlns="
      "'http://jabber.org/protocol/si'><value>" BYTESTREAMS
      "</value><value>" IBB "</value></si></iq>",
      false,
      "2- user2@host/spark accepts and tells user1@host/spark its methods: "
      "by bytestreams or in-band\n" },
    { "<iq id='127' type='set'" U1 "><query xmlns='" BYTESTREAMS "'>"
      "<streamhost jid='a' host='h' port='1'></streamhost>"
      "<streamhost jid='b' host='i' port='2'/></query></iq>",
      true,
      "3- user1@host/spark tells user2@host/spark where it can be reached: "
      "2 streamhosts\n" },
    { "<iq id='127' type='error'" U2 "><error type='cancel'><item-not-found "
      "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
      false,
      "4- user2@host/spark answers user1@host/spark about the streamhosts "
      "with an error: item-not-found\n" },
    { "<iq id='128' type='set'" U1 "><open xmlns='" IBB
      "' sid='jsi_1' block-size='4096'></open></iq>",
      true,
      "5- user1@host/spark proposes user2@host/spark to go in-band, in "
      "blocks of 4096 bytes\n" },
    { "<iq id='128' type='result'" U2 "/>", false,
      "6- user2@host/spark acknowledges the in-band stream to "
      "user1@host/spark\n" },
    { "<message id='129'" U1 "><data xmlns='" IBB
      "' sid='jsi_1' seq='0'>TAAA</data></message>",
      true,
      "7- user1@host/spark sends user2@host/spark block 0 of the file\n" },
    { "<iq id='130' type='set'" U1 "><close xmlns='" IBB
      "' sid='jsi_1'></close></iq>",
      true,
      "8- user1@host/spark closes the in-band stream to user2@host/spark\n" },
    { "<iq id='130' type='result'" U2 "/>", false,
      "9- user2@host/spark acknowledges the close to user1@host/spark\n" },
};

static char *told(struct xf_trace *t, const char *stanza, bool outgoing)
{
    struct ink ink;

    xf_trace_stanza(t, ink_begin(&ink), stanza, outgoing, "me@h/r");
    ink_end(&ink);
    return ink.text;
}

static void the_founding_conversation_is_told_in_steps(void **state)
{
    struct xf_trace t = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        char *text = told(&t, steps[i].stanza, steps[i].outgoing);

        text[strcspn(text, "\n") + 1] = '\0';
        assert_string_equal(text, steps[i].told);
        free(text);
    }
}

static void a_stanza_is_indented_and_data_cut(void **state)
{
    char stanza[512] = "<message><data a='>'>";
    struct ink ink;

    (void)state;
    memset(stanza + strlen(stanza), 'A', 100);
    snprintf(stanza + strlen(stanza), 100, "%s",
             "</data><x><y/>text</x><z>t</z></message>");
    xf_trace_pretty(ink_begin(&ink), stanza);
    assert_string_equal(
        ink_end(&ink),
        "\n    <message>"
        "\n      <data a='>'>AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA… "
        "(100 characters)</data>"
        "\n      <x>"
        "\n        <y/>"
        "\n        text"
        "\n      </x>"
        "\n      <z>t</z>"
        "\n    </message>\n");
    free(ink.text);
}

static void login_contacts_and_chat_are_not_shown(void **state)
{
    static const char *const hidden[] = {
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>AGEAYg==</auth>",
        ("<iq type='set' id='1'><bind "
         "xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"),
        "<iq type='get' id='2'><query xmlns='jabber:iq:roster'/></iq>",
        "<iq type='set' id='3'><query xmlns='jabber:iq:auth'/></iq>",
        "<presence><priority>-1</priority></presence>",
        "<message type='chat'><body>private</body></message>",
        "<r xmlns='urn:xmpp:sm:3'/>",
        "",
        "text",
        "</iq>",
    };
    struct xf_trace t = { 0 };
    char *text;

    (void)state;
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) {
        text = told(&t, hidden[i], true);
        assert_string_equal(text, "");
        free(text);
    }
    text = told(&t, "<iq type='result' id='2'/>", false); /* the roster's */
    assert_string_equal(text, "");
    free(text);
    assert_int_equal(t.step, 0);
}

static void a_contact_cannot_hide_its_stanza(void **state)
{
    struct xf_trace t = { 0 };
    char *text = told(&t,
                      "<iq type='set' id='1' from='evil@h/r'><open xmlns='" IBB
                      "' block-size='1'><bind xmlns="
                      "'urn:ietf:params:xml:ns:xmpp-bind'/></open></iq>",
                      false);

    (void)state;
    assert_non_null(strstr(text, "1- evil@h/r proposes me@h/r to go in-band"));
    free(text);
}

static void nor_say_more_than_it_says(void **state)
{
    struct xf_trace t = { 0 };
    char *text = told(&t,
                      "<iq type='error' id='1' from='evil@h/\x1b[2J'><error>"
                      "<forbidden/><text>a\n2- me\xe2\x80\xae</text></error>"
                      "</iq>",
                      false);

    (void)state;
    assert_non_null(strstr(text, "1- evil@h/\\x1B[2J answers me@h/r about "
                                 "something with an error: forbidden, "
                                 "\"a\\x0A2- me\\u{202E}\"\n"));
    assert_null(strchr(text, '\x1b'));
    free(text);
}

static void tags_within_cdata_are_text(void **state)
{
    const char *p = "<a><![CDATA[<b c='>'>]]></a>";
    struct xf_piece piece;

    (void)state;
    assert_int_equal(xf_markup_count(p, "b"), 0);
    p = xf_markup_next(p, &piece);
    p = xf_markup_next(p, &piece);
    assert_int_equal(piece.kind, XF_PIECE_TEXT);
    assert_true(xf_slice_is(piece.text, "<![CDATA[<b c='>'>]]>"));
    p = xf_markup_next(p, &piece);
    assert_int_equal(piece.kind, XF_PIECE_CLOSE);
    assert_null(xf_markup_next(p, &piece));
}

/* The library hands over whole stanzas; a cut one must do no harm anyway. */
static void every_cut_is_survived(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        size_t len = strlen(steps[i].stanza);

        for (size_t cut = 0; cut <= len; cut++) {
            struct xf_trace t = { 0 };
            char *exact = strndup(steps[i].stanza, cut);
            char *text;

            assert_non_null(exact);
            text = told(&t, exact, false);
            assert_true(t.step <= 1);
            free(text);
            free(exact);
        }
    }
}

static void hostile_markup_is_survived(void **state)
{
    uint32_t seed = 7;
    char text[100], stanza[400];

    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct xf_trace t = { 0 };
        char *out;

        hostile_text(&seed, text, sizeof text);
        snprintf(stanza, sizeof stanza, "<iq type='set' %s><%s='%s'></iq>",
                 text, text, text);
        out = told(&t, stanza, i % 2);
        for (const char *p = out; *p; p++)
            assert_true((unsigned char)*p >= 0x20 || *p == '\n');
        free(out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_founding_conversation_is_told_in_steps),
        cmocka_unit_test(a_stanza_is_indented_and_data_cut),
        cmocka_unit_test(login_contacts_and_chat_are_not_shown),
        cmocka_unit_test(a_contact_cannot_hide_its_stanza),
        cmocka_unit_test(nor_say_more_than_it_says),
        cmocka_unit_test(tags_within_cdata_are_text),
        cmocka_unit_test(every_cut_is_survived),
        cmocka_unit_test(hostile_markup_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
