/* The one list of codes: results of the library, exit status of the programs. */
#ifndef XFERRY_ERROR_H
#define XFERRY_ERROR_H

/*
 * 0 is success. A program of ours that fails ends with the same number as its
 * exit status, so a script and an embedder read one table.
 */
enum xf_error {
    XF_OK = 0,
    XF_E_USAGE = 2, /* the caller's or the command line's own mistake */

    XF_E_AUTH = 10,   /* the server refused the login */
    XF_E_TLS = 11,    /* no TLS, or a certificate that does not fit */
    XF_E_STREAM = 12, /* no server to be reached, or its stream ended */
    XF_E_NOPEER = 13, /* the contact is not online, or not known to be */

    XF_E_DECLINED = 20, /* the contact said no */
    XF_E_NOMETHOD = 21, /* no way of transfer in common */
    XF_E_OFFER = 22,    /* an offer that breaks its protocol */
    XF_E_NAME = 23,     /* a file name that is refused */
    XF_E_SIZE = 24,     /* a size that is refused */
    XF_E_EXISTS = 25,   /* the file exists and is not to be replaced */
    XF_E_POLICY = 26,   /* the contact may not send to us */
    XF_E_BUSY = 27,     /* a limit on things at once is reached */

    XF_E_CONNECT = 30,   /* every attempt failed; the text names each */
    XF_E_PROXY = 31,     /* a proxy failed */
    XF_E_PROTO = 32,     /* the contact broke the protocol */
    XF_E_STALL = 33,     /* no progress for too long */
    XF_E_GONE = 34,      /* the contact went away */
    XF_E_CANCELLED = 35, /* we gave up on the user's word */

    XF_E_SHORT = 40,  /* the stream ended before the size was reached */
    XF_E_LONG = 41,   /* more bytes came than were offered */
    XF_E_HASH = 42,   /* the content does not match its hash */
    XF_E_SRC = 43,    /* the source changed while it was sent */
    XF_E_CRYPTO = 44, /* decryption failed */
    XF_E_NOENC = 45,  /* encryption was asked for and cannot be had */

    XF_E_NOSPC = 50, /* no space left */
    XF_E_IO = 51,    /* reading or writing failed */
    XF_E_PERM = 52,  /* not allowed by the file system */
    XF_E_LIMIT = 53, /* out of memory or descriptors */

    XF_E_RESUME = 60,   /* cannot go on where it stopped */
    XF_E_INTERNAL = 70, /* a mistake of ours */
};

#endif
