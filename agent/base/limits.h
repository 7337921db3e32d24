/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * Every maximum of certhup, with its reason. Sizes are in bytes and times in milliseconds unless
 * the name says otherwise. Nothing that comes from outside is held, parsed or waited for beyond
 * what stands here.
 */

/* clang-format off */
#define KIB 1024
#define MIB (1024 * 1024)
#define SECOND_MS 1000
#define MINUTE_MS (60 * SECOND_MS)

/* Names. */
#define LIMIT_NAMESPACE 63        /* RFC 1123 label */
#define LIMIT_OBJECT_NAME 253     /* RFC 1123 subdomain: Secrets, pods, accounts */
#define LIMIT_UID 63              /* a pod uid has 36 characters, a static pod's 32 */
#define LIMIT_VOLUME_NAME 63      /* RFC 1123 label */
#define LIMIT_CONTAINER_NAME 63   /* RFC 1123 label */
#define LIMIT_CONTAINER_ID 64     /* hex digits of a container id */
#define LIMIT_COMM 15             /* TASK_COMM_LEN less the NUL */
#define LIMIT_RESOURCE_VERSION 40 /* decimal digits; etcd's are 64 bit, the API promises no width */
#define LIMIT_HOST_NAME 253       /* RFC 1035 */
#define LIMIT_ALPN 255            /* bytes of the TLS extension */
#define LIMIT_USER 4294967294u    /* a uid or gid: (uid_t)-1 means "leave" to chown */

/* A volume's content. */
#define LIMIT_FILES 16                    /* files in one volume: a pair, CAs, bundles and a few keystores */
#define LIMIT_FILE_NAME 253               /* NAME_MAX less room; a Secret's key has at most 253 */
#define LIMIT_CONTENT (1 * MIB)           /* a Secret's data in all: the API server's own maximum */
#define LIMIT_SWEEP_ENTRIES 4096          /* foreign directory entries that one sweep looks at: a pod may make 10^6 */
#define LIMIT_SWEEP_DEPTH 8               /* our generations are flat; deeper ones are the pod's own */
#define LIMIT_OPEN_TRIES 8                /* openat2 answers EAGAIN while somebody renames on its way */
#define LIMIT_RECORD (8 * KIB)            /* a record's text has 2 KiB */
#define LIMIT_BUDGET_NAMESPACE (32 * MIB) /* published bytes of one namespace on a node (principle 7) */
#define LIMIT_BUDGET_NODE (128 * MIB)     /* published bytes in all: below the hand's memory limit */

/* The Kubernetes API. */
#define LIMIT_EVENT (4 * MIB)                      /* one watch event: 1 MiB of data in base64, and metadata */
#define LIMIT_BODY (16 * MIB)                      /* a LIST page of 500 pods */
#define LIMIT_HEADERS (64 * KIB)                   /* of one answer */
#define LIMIT_JSON_DEPTH 32                        /* json-c's default; Kubernetes objects stay below 20 */
#define LIMIT_JSON_VALUES 65536                    /* in one object: 1 MiB of them would take 25 MB in memory */
#define LIMIT_TOKEN (16 * KIB)                     /* a projected token has about 1 KiB */
#define LIMIT_CA_BUNDLE (1 * MIB)                  /* a ConfigMap's maximum */
#define LIMIT_KUBECONFIG (1 * MIB)                 /* kubectl's files are a few KiB */
#define LIMIT_ERROR_BODY (64 * KIB)                /* of an answer that is no 2xx: a Status has 1 KiB */
#define LIMIT_ERROR_TEXT 256                       /* of an answer that is no JSON, shown to people */
#define LIMIT_QUERY (8 * KIB)                      /* path and query of a request: servers take 8 KiB */
#define LIMIT_LIST (64 * MIB)                      /* one LIST answer, of which one item is held at a time */
#define LIMIT_KUBECONFIG_FILES 16                  /* named in KUBECONFIG */
#define LIMIT_ADDRESSES 8                          /* of the API server's name that are tried */
#define LIMIT_ANNOTATION (64 * KIB)                /* certhup.io/volumes; all annotations of an object have 256 KiB */
#define LIMIT_REQUESTS 16                          /* requests under way at once: 105 MB of RSS at 1,000, 12 MB at 16 */
#define LIMIT_REQUEST_QUEUE 4096                   /* requests that wait for one of these */
#define LIMIT_REQUEST_CONNECTIONS 2                /* beside the watches' own */
#define LIMIT_LIST_PAGE 500                        /* items asked for in one page, as client-go */
#define LIMIT_REQUEST_MS (30 * SECOND_MS)          /* default deadline of a request */
#define LIMIT_CONNECT_MS (10 * SECOND_MS)          /* TCP and TLS set-up */
#define LIMIT_RETRY_AFTER_MS (5 * MINUTE_MS)       /* longest Retry-After that is obeyed */
#define LIMIT_BACKOFF_MIN_MS 800                   /* reflector: first delay */
#define LIMIT_BACKOFF_MAX_MS (30 * SECOND_MS)      /* reflector: cap before jitter */
#define LIMIT_BACKOFF_RESET_MS (2 * MINUTE_MS)     /* of success, after which a delay starts again at its first */
#define LIMIT_WATCH_FIRST_EVENT_MS (2 * SECOND_MS) /* after the 200; then one GET decides whether there is an object */
#define LIMIT_WATCH_SILENCE_MS (30 * SECOND_MS)    /* without a byte; then the liveness GET */
#define LIMIT_LIVENESS_MS (15 * SECOND_MS)         /* for its answer */
#define LIMIT_TCP_USER_TIMEOUT_MS (45 * SECOND_MS) /* unacknowledged bytes: the peer is gone */
#define LIMIT_TCP_KEEPIDLE_S 30                    /* of silence before TCP asks the peer ... */
#define LIMIT_TCP_KEEPINTVL_S 5                    /* ... this often ... */
#define LIMIT_TCP_KEEPCNT 3                        /* ... and so many times */
#define LIMIT_WATCH_OBJECTS 4096                   /* that one LIST + WATCH remembers by name */
#define LIMIT_WATCH_QUIET_MS (3 * MINUTE_MS)       /* bookmarks come each minute; then a new LIST */
#define LIMIT_LIST_MS (60 * SECOND_MS)             /* one page: the API server's own time */
#define LIMIT_WATCH_OVERTIME_MS (30 * SECOND_MS)   /* after timeoutSeconds a watch is cut */
#define LIMIT_POLL_MS (60 * SECOND_MS)             /* between GETs where there is no right to watch */
#define LIMIT_WATCH_TIMEOUT_MIN_S 1800             /* jittered timeoutSeconds of a watch, as kubelet */
#define LIMIT_WATCH_TIMEOUT_MAX_S 3600             /* and its upper end: a missed event heals within it */
#define LIMIT_PODS 1024                            /* of one node that are looked at; the largest sane maxPods is 500 */
#define LIMIT_BINDINGS 4096                        /* bindings of one node */
#define LIMIT_BINDINGS_POD 16                      /* volumes named in one pod's annotation */
#define LIMIT_POD_COMPLAINTS 32                    /* about one pod's annotation: two of each volume */
#define LIMIT_SECRETS 4096                         /* Secrets watched at once */
#define LIMIT_ALLOW_ACCOUNTS (4 * KIB)             /* names in certhup.io/allow-service-accounts */
#define LIMIT_HELD (8 * MIB)                       /* Secrets that wait for reviews; others are read again */
#define LIMIT_REVIEW_MS (60 * SECOND_MS)           /* how long a LocalSubjectAccessReview's yes holds */
#define LIMIT_DENIED_MIN_MS (10 * SECOND_MS)       /* asked again after a no: doubling ... */
#define LIMIT_DENIED_MAX_MS (5 * MINUTE_MS)        /* ... up to this */
#define LIMIT_RV_RESET_MS (10 * SECOND_MS)         /* between the two reads that prove a ResourceVersionReset */

/* Certificates. */
#define LIMIT_PEM_BLOCKS 32                     /* in one tls.crt or tls.key */
#define LIMIT_CA_BLOCKS 512                     /* in one CA bundle: the web's roots are 150 */
#define LIMIT_CHAIN_BYTES (60 * KIB)            /* DER of tls.crt: clients take 64 to 100 KiB */
#define LIMIT_CHAIN_ELEMENTS (8 * KIB)          /* ASN.1 items in tls.crt: a certificate has 150 */
#define LIMIT_CA_ELEMENTS (40 * KIB)            /* ASN.1 items in a CA bundle */
#define LIMIT_DER_DEPTH 16                      /* certificates nest 8 deep */
#define LIMIT_OID 32                            /* bytes of an object identifier: those that we know have 11 */
#define LIMIT_NAME_CHECKS (64 * KIB)            /* names by name constraints, which are multiplied */
#define LIMIT_VERIFY_US 20000                   /* estimate for the signatures of one chain */
#define LIMIT_KEY_BYTES (16 * KIB)              /* DER of a key: RSA of 16384 bits has 9.3 KiB */
#define LIMIT_RSA_BITS 16384                    /* larger moduli cost seconds */
#define LIMIT_RSA_EXPONENT_BITS 32              /* of the public exponent, as other libraries have it */
#define LIMIT_SANS 1000                         /* names in one tls.crt */
#define LIMIT_NOT_YET_VALID_MS (60 * MINUTE_MS) /* between looks at a pair that begins later */
#define LIMIT_SKEW_S 300                        /* a notBefore up to this far ahead is a clock, not a fault */

/* Notify and prove. */
#define LIMIT_PROCESSES 4096                         /* processes of one container that are looked at */
#define LIMIT_CGROUPS 65536                          /* cgroup directories that one search looks at */
#define LIMIT_CGROUP_DEPTH 32                        /* of them: kind in kind has 12 */
#define LIMIT_PROC_FILE ((size_t)64 * KIB)           /* of a /proc/PID: cgroup has 14 lines of 4 KiB */
#define LIMIT_MIN_INTERVAL_MS SECOND_MS              /* floor of min-interval */
#define LIMIT_SETTLE_MS (5 * SECOND_MS)              /* default settle without a probe */
#define LIMIT_SETTLE_PROBE_MS (30 * SECOND_MS)       /* default settle with a probe */
#define LIMIT_SIGNALS_AGAIN 2                        /* for one generation that is not adopted */
#define LIMIT_SIGNAL_RETRIES 5                       /* of one that could not be sent; then it is given up */
#define LIMIT_DURATION_MS (24 * 60 * MINUTE_MS)      /* longest splay, settle, min-interval that a pod may ask */
#define LIMIT_PROBE_MS (5 * SECOND_MS)               /* one handshake */
#define LIMIT_PROBES 128                             /* handshakes under way at once, of 100 KiB each ... */
#define LIMIT_PROBES_NAMESPACE 32                    /* ... and of one namespace's servers, which may be slow */
#define LIMIT_PROBE_BYTES (80 * KIB)                 /* of a server: a chain, and the names of many CAs */
#define LIMIT_PROBE_DH_BITS 4096                     /* of a server's own Diffie-Hellman prime */
#define LIMIT_PROBE_EXPONENT_BITS 64                 /* OpenSSL's own bound for large moduli, here for all */
#define LIMIT_PROBE_GAP_MS (5 * SECOND_MS)           /* between handshakes, until the window ends ... */
#define LIMIT_PROBE_LATE_GAP_MS (10 * MINUTE_MS)     /* ... and after it */
#define LIMIT_ROLLBACK_PROBE_AGE_MS (10 * MINUTE_MS) /* how old the last matching probe may be for a rollback */

/* The hand. */
#define LIMIT_HAND_CHILDREN 16                                       /* operations under way at once */
#define LIMIT_HAND_SLOW_MS 250                                       /* an older operation leaves its place to the next */
#define LIMIT_HAND_SLOW 64                                           /* operations that hang at once, beside those under way */
#define LIMIT_HAND_PROCESSES (LIMIT_HAND_CHILDREN + LIMIT_HAND_SLOW) /* forked by the hand at once */
#define LIMIT_HAND_QUEUE 8192                                        /* requests that wait for one of these */
#define LIMIT_HAND_VOLUME_QUEUE 32                                   /* requests for one volume: it must not fill the queue */
#define LIMIT_HAND_VOLUMES (2 * LIMIT_BINDINGS)                      /* records of pods that have gone among them */
#define LIMIT_HAND_OPERATION_MS (10 * SECOND_MS)                     /* one operation; then its child is killed */
#define LIMIT_HAND_GRACE_MS (3 * SECOND_MS)                          /* after SIGTERM, for operations under way */
#define LIMIT_CHILD_END_MS 500                                       /* its socket is closed: the exit status follows at once */
#define LIMIT_SANDBOX_PATHS 32                                       /* directories that Landlock leaves open */
#define LIMIT_HAND_REPLIES 256                                       /* unread by the head: then nothing is read from it */
#define LIMIT_HAND_LOCK_MS 2000                                      /* for the children of a hand that was killed to die with it */
#define LIMIT_HAND_FSYNC_MS 100                                      /* records are synced in groups of this age */
#define LIMIT_HAND_CONNECT_MIN_MS 100                                /* the head's reconnects to the hand */
#define LIMIT_HAND_CONNECT_MAX_MS (5 * SECOND_MS)                    /* a hand that is back is found in 5 s */
#define LIMIT_REPAIRS_PER_MINUTE 6                                   /* of one volume that its pod damages */
#define LIMIT_WATCH_RETRY_MS (5 * MINUTE_MS)                         /* between tries to watch a volume that could not be */
#define LIMIT_WATCH_EVENTS 4096                                      /* of one watch until it is asked for again: 1,000 rotations */
#define LIMIT_INOTIFY_DEAD 1024                                      /* dead entries before the inotify table is built anew */
#define LIMIT_INOTIFY_WATCHES ((size_t)2 * LIMIT_BINDINGS)           /* a directory, and its generation */

/* Metrics, health and status. */
#define LIMIT_HTTP_CONNECTIONS 64              /* on the metrics listener */
#define LIMIT_HTTP_REQUEST_MS (5 * SECOND_MS)  /* from accept to the last byte */
#define LIMIT_HTTP_HEADERS (8 * KIB)           /* of one request to the metrics page: a scrape sends 300 bytes */
#define LIMIT_HTTP_BODY (16 * MIB)             /* a page of 4096 bindings has 5 MiB */
#define LIMIT_HTTP_PENDING (8 * MIB)           /* of all answers that clients have yet to read */
#define LIMIT_HTTP_SMALL (4 * KIB)             /* answers that are given beyond that: health */
#define LIMIT_HTTP_ACCEPT_MS 100               /* wait when there are no descriptors left */
#define LIMIT_STATUS_CONNECTIONS 8             /* on the status socket */
#define LIMIT_LOG_LINE (16 * KIB)              /* longer lines are cut by collectors */
#define LIMIT_EVENT_NOTE 1024                  /* an Event's note */
#define LIMIT_EVENT_INSTANCE 128               /* reportingInstance, by the API */
#define LIMIT_EVENT_BODY (8 * KIB)             /* one Event as JSON: its note and names */
#define LIMIT_EVENT_BURST 25                   /* per object, as client-go ... */
#define LIMIT_EVENT_REFILL_MS (5 * MINUTE_MS)  /* ... and one more each of these */
#define LIMIT_EVENT_SERIES 4096                /* Events that are remembered, as client-go */
#define LIMIT_EVENT_OBJECTS 4096               /* objects whose tokens are remembered */
#define LIMIT_EVENT_SIMILAR 10                 /* of one object and reason that differ in the note */
#define LIMIT_EVENT_QUEUE 1000                 /* Events that wait to be sent, as client-go */
#define LIMIT_EVENT_REQUESTS 1                 /* at once: never both of the connections */
#define LIMIT_EVENT_SILENCE_MS (6 * MINUTE_MS) /* after which a series has ended, as client-go */
#define LIMIT_EVENT_RETRY_MS (10 * SECOND_MS)  /* between tries while the API server is away ... */
#define LIMIT_EVENT_TRIES 12                   /* ... and how many, as client-go */

/* Command line. */
#define LIMIT_CONFIG (64 * KIB)                               /* of the file of --config: a page of flags has 1 KiB */
#define LIMIT_OPERANDS 8                                      /* words that are no flags */
#define LIMIT_WORD 48                                         /* a mistyped word that is looked up */
#define LIMIT_PARENTS 64                                      /* processes between this one and the container's first */
#define LIMIT_POLICY_SUFFIXES 32 /* of names that a policy allows */
#define LIMIT_LIFETIME_MS (100LL * 366 * 24 * 60 * MINUTE_MS) /* that a policy may allow a leaf */
/* clang-format on */
