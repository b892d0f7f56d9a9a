#ifndef FIREBREAK_CNFTABLES_H
#define FIREBREAK_CNFTABLES_H
/* <netinet/in.h> before any <linux/...> header: else two modules define ip_msfilter differently. */
#include <netinet/in.h>
#include <linux/netlink.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/gen.h>
#include <libnftnl/table.h>
#endif
