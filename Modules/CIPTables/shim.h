#ifndef FIREBREAK_CIPTABLES_H
#define FIREBREAK_CIPTABLES_H
/* <netinet/in.h> before any <linux/...> header: else two modules define ip_msfilter differently. */
#include <netinet/in.h>
#include <libiptc/libiptc.h>
#include <libiptc/libip6tc.h>
#endif
