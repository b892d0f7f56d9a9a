import Testing

/// A ruleset of nft(8). Interfaces: `v0` and `v1` (a veth pair), `br0` (a bridge), `lo`.
struct SnapshotRow: CustomTestStringConvertible, Sendable {
  let name: String
  let text: String
  /// What of the kernel the ruleset needs that not every kernel has: a kernel without it is a named exception.
  let need: String?
  /// Whether everything is exactly as before when put back: not the names of chains that the kernel makes up, not the time
  /// that elements have left.
  let isExact: Bool
  var testDescription: String { name }

  init(_ name: String, needs need: String? = nil, isExact: Bool = true, _ text: String) {
    self.name = name
    self.text = text
    self.need = need
    self.isExact = isExact
  }

  /// Rules in one base chain of a table, one a line.
  /// - Parameter hook: its name, or all that makes a chain a base chain.
  init(rules name: String, _ family: String, _ hook: String, needs need: String? = nil, _ text: String) {
    let type = hook.contains(" ") ? hook : "type filter hook \(hook) priority 0;"
    self.init(name, needs: need, "table \(family) t {\n chain c {\n \(type)\n \(text)\n }\n}\n")
  }

  init(rules name: String, needs need: String? = nil, _ text: String) {
    self.init(rules: name, "inet", "input", needs: need, text)
  }
}

extension SnapshotRow {
  static let all: [Self] = expressions + statements + sets + objects + structures

  // MARK: What rules look at

  static let expressions: [Self] = [
    Self(
      rules: "meta",
      """
      meta length > 100 meta protocol ip counter
      meta mark & 0xff == 0x1 meta priority 1:2 counter
      iif lo iifname "v*" iiftype loopback counter packets 3 bytes 4
      meta skuid 0-10 meta skgid { 0, 5 } counter
      meta nfproto ipv6 meta l4proto { tcp, udp } meta pkttype broadcast
      meta cpu 0 meta iifgroup 0 meta cgroup 5
      meta iifkind "veth" counter
      meta time > "2024-01-01 00:00:00" meta day { "Monday", "Tuesday" } meta hour 10:00-12:00
      rtclassid 3 ipsec exists
      """),
    Self(
      rules: "meta of the way out", "inet", "output",
      """
      oif lo oifname { "v0", "lo" } oiftype ether counter
      oifgroup 0 meta oifkind "dummy" meta rtclassid 4
      """),
    Self(
      rules: "setting meta", "inet", "prerouting",
      """
      meta mark set 0x1 meta priority set 1:5 meta nftrace set 1
      meta mark set meta mark and 0xff or 0x100
      meta mark set ct mark xor 0x5 meta pkttype set host
      meta mark set meta mark << 3
      """),
    Self(
      rules: "connection tracking",
      """
      ct state established,related accept
      ct direction original ct status snat,dnat ct mark & 0xf0 == 0x10
      ct expiration > 30s ct helper "ftp" ct zone 5
      ct original ip saddr 10.0.0.0/8 
      tcp dport 5 ct original proto-dst 22 ct reply ip6 daddr ::1
      ct original bytes > 1000 ct reply packets < 5 ct avgpkt > 100
      ct l3proto ipv4 ct original protocol tcp ct label 3 ct id 5
      ct mark set meta mark ct zone set 5 ct label set 7 ct event set new,destroy
      ct state vmap { invalid : drop, established : accept, related : accept }
      """),
    Self(
      rules: "IPv4", "ip", "input",
      """
      ip version 4 ip hdrlength 5 ip dscp cs1 ip ecn ect0 ip length > 20
      ip id 5 ip frag-off & 0x1fff != 0 ip ttl < 10 ip checksum 0x5 ip protocol != { tcp, udp }
      ip saddr 10.0.0.1-10.0.0.9 ip daddr & 255.255.0.255 == 10.0.0.5
      ip option lsrr exists ip option rr ptr 5 ip option ra value 0
      icmp type { echo-request, echo-reply } icmp code 3 icmp id 5 icmp sequence 7
      icmp mtu 1500
      icmp gateway 33
      igmp type membership-query igmp mrt 5
      """),
    Self(
      rules: "IPv6", "ip6", "input",
      """
      ip6 version 6 ip6 dscp cs2 ip6 ecn ce ip6 flowlabel 22 ip6 length > 10 ip6 nexthdr tcp ip6 hoplimit 1
      ip6 saddr fe80::/10 ip6 daddr { ::1, 2001:db8::/32 } counter
      icmpv6 type nd-router-advert icmpv6 code 4
      icmpv6 mtu 1280
      icmpv6 id 3
      icmpv6 max-delay 5
      exthdr hbh exists frag frag-off 5 rt type 0 rt seg-left 3 dst nexthdr 5 mh type 3 frag more-fragments 1
      srh last-entry 0 hbh hdrlength 5
      """),
    Self(
      rules: "transport headers",
      """
      tcp sport 1-1024 tcp dport { 22, 80, 443 } tcp flags syn / syn,ack tcp sequence 5 tcp window 100
      tcp flags & (fin | syn) == syn tcp urgptr 0 tcp doff 5 tcp ackseq 0 tcp checksum 5
      tcp option maxseg size 1400 tcp option sack-perm exists tcp option timestamp tsval 5
      tcp option window count 7
      udp sport 53 udp length > 8
      udplite dport 5
      sctp dport 9 sctp vtag 5
      dccp sport 3 dccp type request
      ah spi 5 ah hdrlength 3
      esp spi 100 esp sequence 3
      comp cpi 5
      th dport 53
      @th,0,16 22 @nh,64,8 0x5 @ll,0,48 0x112233445566
      ether saddr 00:11:22:33:44:55 ether type ip
      vlan id 5
      """),
    Self(rules: "chunks of SCTP", "sctp chunk data exists sctp chunk init num-inbound-streams > 5"),
    Self(
      rules: "setting headers", "ip", "prerouting",
      """
      ip ttl set 64 ip dscp set cs3 ip daddr set 10.1.2.3 tcp dport set 8080
      tcp option maxseg size set 1400
      tcp option maxseg size set 1400 counter
      udp checksum set 0
      ip ecn set 0
      ip id set 5
      @nh,8,8 set 0x10
      """),
    Self(rules: "the largest segment of the route", "inet", "forward", "tcp option maxseg size set rt mtu"),
    Self(rules: "taking options out", "ip", "prerouting", "reset tcp option sack-perm"),
    Self(
      rules: "fib", "inet", "prerouting",
      """
      fib saddr . iif oif missing drop
      fib daddr . iif type { local, broadcast } accept
      fib daddr type local counter
      fib saddr oifname "lo" fib saddr . mark oif exists
      """),
    Self(
      rules: "route and socket", "inet", "prerouting",
      """
      socket transparent 1 socket mark 0x5 socket wildcard 0
      rt classid 3
      """),
    Self(
      rules: "route of the way out", "inet", "output",
      "rt ip nexthop 10.0.0.1 rt ip6 nexthop fe80::1 rt mtu > 500 rt ipsec exists"),
    Self(
      rules: "control groups", "inet", "output", needs: "a cgroup v2 that is mounted", "socket cgroupv2 level 0 \"/\""),
    Self(rules: "fingerprints", "osf name \"Linux\" osf ttl skip version \"Linux:3.0\""),
    Self(
      rules: "hashes and numbers", "ip", "prerouting",
      """
      meta mark set jhash ip saddr . ip daddr mod 10 seed 0x5 offset 3
      meta mark set symhash mod 4 offset 2
      meta mark set numgen inc mod 10 offset 5
      meta mark set numgen random mod 10 map { 0-4 : 1, 5-9 : 2 }
      """),
    Self(
      rules: "IPsec", "ipsec in reqid 5 ipsec in spi 0x100 ipsec in ip saddr 10.0.0.1 ipsec in spnum 1 spi 5"),
    Self(
      rules: "comparisons", "tcp dport > 1024 tcp sport != 5-9 ip saddr != { 1.2.3.4, 5.6.7.8 } meta mark & 0x5 != 0x1"),
  ]

  // MARK: What rules do

  static let statements: [Self] = [
    Self(
      rules: "limits, quotas, connections",
      """
      limit rate 10/second burst 20 packets accept
      limit rate over 5/minute limit rate 3/day
      limit rate 100 kbytes/second burst 500 bytes
      limit rate over 10 mbytes/minute
      quota 25 mbytes quota over 10 kbytes used 5 kbytes
      ct count 20 ct count over 5
      counter packets 123 bytes 4567
      """),
    Self(
      rules: "quotas that are used up",
      "quota over 10 bytes used 10 bytes counter\nquota until 5 bytes used 5 bytes counter"),
    Self(
      rules: "log",
      """
      log log prefix "a prefix: " level debug flags all
      log group 5 prefix "g" snaplen 100 queue-threshold 10
      log level audit
      log flags tcp sequence,options log flags ip options log flags skuid log flags ether
      log level emerg
      """),
    Self(
      rules: "reject",
      """
      reject
      reject with tcp reset
      reject with icmpx admin-prohibited
      reject with icmp host-unreachable
      reject with icmpv6 no-route
      """),
    Self(rules: "reject in ip6", "ip6", "input", "reject with icmpv6 port-unreachable"),
    Self(
      "NAT",
      """
      table ip n {
        map forward { type inet_service : ipv4_addr . inet_service; elements = { 80 : 10.0.0.1 . 8080, 81 : 10.0.0.2 . 81 } }
        chain pre {
          type nat hook prerouting priority dstnat; policy accept;
          dnat to 10.0.0.1
          tcp dport 80 dnat to 10.0.0.1:8080
          tcp dport 81 dnat to 10.0.0.1-10.0.0.9:1000-2000 random,persistent
          tcp dport 82 redirect to :8080
          redirect
          ip saddr 1.2.3.4 dnat ip to tcp dport map @forward
          dnat to numgen inc mod 2 map { 0 : 10.0.0.1, 1 : 10.0.0.2 }
          dnat ip prefix to ip daddr map { 10.0.0.0/24 : 10.1.0.0/24 }
        }
        chain post {
          type nat hook postrouting priority srcnat;
          snat to 192.0.2.1
          snat to 192.0.2.1-192.0.2.5 fully-random
          tcp sport 1-5 masquerade to :1024-2048 random
          masquerade
        }
        chain in { type nat hook input priority 100; snat to 1.2.3.4; }
        chain out { type nat hook output priority -100; dnat to 1.2.3.4; }
      }
      table inet n {
        chain pre { type nat hook prerouting priority -99; dnat ip to 10.0.0.1; tcp dport 5 dnat ip6 to [2001:db8::1]:80; }
        chain post { type nat hook postrouting priority 101; masquerade; snat ip6 to 2001:db8::1-2001:db8::9; }
      }
      table ip6 n { chain post { type nat hook postrouting priority srcnat; snat ip6 prefix to ip6 saddr map { 2001:db8:1::/64 : 2001:db8:2::/64 }; }
      }
      """),
    Self(
      rules: "transparent proxies", "inet", "type filter hook prerouting priority -150;",
      """
      meta l4proto tcp tproxy ip to 127.0.0.1:50080 accept
      meta l4proto udp tproxy ip6 to [::1]:53
      tcp dport 80 tproxy to :8080
      """),
    Self(
      rules: "queues", needs: "CONFIG_NFT_QUEUE", "queue num 5 bypass\nqueue num 1-4 fanout\nqueue flags bypass to 3"),
    Self(
      rules: "copies", "ip", "prerouting",
      "dup to 10.0.0.1 device \"v0\"\ndup to 10.0.0.2\ndup to ip saddr map { 1.2.3.4 : 10.0.0.1 }"),
    Self(
      rules: "no tracking", "inet", "type filter hook prerouting priority raw;",
      "tcp dport 80 notrack\nudp dport 53 notrack"),
    Self(
      rules: "cookies for SYN",
      "tcp dport 80 synproxy mss 1460 wscale 7 timestamp sack-perm\nct state invalid synproxy mss 500 sack-perm"),
    Self(rules: "verdicts", "accept\ndrop\nreturn\ncontinue\ncounter accept comment \"why, in \u{fc}tf-8\""),
    Self(
      "jumps",
      """
      table inet t {
        chain later { counter; }
        chain base { type filter hook input priority 0; jump later; goto far; meta mark vmap { 1 : jump later, 2 : goto far, 3 : accept }; }
        chain far { jump later; return; }
      }
      """),
    Self(
      "chains of one rule", isExact: false,
      """
      table inet t {
        chain base {
          type filter hook input priority 0;
          tcp dport 22 jump { ip saddr 10.0.0.0/8 accept; counter drop; }
          ip saddr { 1.1.1.1, 2.2.2.2 } goto { meta mark set 5; udp dport { 1, 2 } counter; }
          counter
        }
        chain other { udp dport 5 jump { meta mark 1 drop; } ; jump base_two; }
        chain base_two { counter; }
      }
      """),
  ]

  // MARK: Sets

  static let sets: [Self] = [
    Self(
      "types of keys",
      """
      table inet t {
        set a4 { type ipv4_addr; elements = { 10.0.0.1, 10.0.0.2 } }
        set a6 { type ipv6_addr; elements = { ::1, 2001:db8::5 } }
        set hw { type ether_addr; elements = { 00:11:22:33:44:55 } }
        set proto { type inet_proto; elements = { tcp, udp, 99 } }
        set service { type inet_service; comment "of a set"; elements = { 22, 80 } }
        set marks { type mark; elements = { 1, 0x10 } }
        set name { type ifname; elements = { "eth0", "eth1" } }
        set iface { typeof iif; elements = { "lo" } }
        set state { type ct_state; elements = { new, established } }
        set kind { type icmp_type; elements = { echo-request } }
        set user { typeof meta skuid; elements = { 0, 1000 } }
        set odd { typeof ip dscp; elements = { cs1, 5 } }
        set tag { typeof vlan id; elements = { 5, 6 } }
        set daily { typeof meta hour; flags interval; elements = { "10:00"-"12:00" } }
        set kinds { type pkt_type; elements = { host } }
        set none { type ipv4_addr; }
        chain c { ip saddr @a4 tcp dport @service iifname @name meta mark @marks ct state @state counter; }
      }
      """),
    Self(
      "intervals",
      """
      table inet t {
        set a { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 11.0.0.0-11.0.0.9, 192.0.2.1, 0.0.0.0/8, 255.255.255.255 } }
        set adjacent { type inet_service; flags interval; elements = { 1-5, 6-9, 10, 65535 } }
        set merged { type ipv4_addr; flags interval; auto-merge; elements = { 10.0.0.0/9, 10.128.0.0/9, 1.2.3.4 } }
        set six { type ipv6_addr; flags interval; elements = { 2001:db8::/32, fe80::/10, ::/128 } }
        set everything { type ipv4_addr; flags interval; elements = { 0.0.0.0/0 } }
        set names { type ifname; flags interval; elements = { "eth*", "lo" } }
        map values { type ipv4_addr : mark; flags interval; elements = { 10.0.0.0/8 : 1, 11.0.0.0/8 : 2 } }
        chain c { ip saddr @a tcp dport @adjacent counter; ip saddr { 10.0.0.0/8, 12.0.0.0/7 } ; tcp dport { 1-3, 5-9 } accept; }
      }
      """),
    Self(
      "concatenations",
      """
      table inet t {
        set pair { type ipv4_addr . inet_service; elements = { 10.0.0.1 . 22, 10.0.0.2 . 80 } }
        set ranges {
          type ipv4_addr . inet_service . inet_proto; flags interval
          elements = { 10.0.0.0/8 . 1-1024 . tcp, 192.0.2.1-192.0.2.9 . 53 . udp }
        }
        set six { typeof ip6 saddr . ether saddr . meta mark; flags interval; elements = { 2001:db8::/32 . 00:11:22:33:44:55 . 5 } }
        map verdicts { type ipv4_addr . inet_service : verdict; flags interval; elements = { 10.0.0.0/8 . 22 : accept, 10.0.0.0/8 . 23 : drop } }
        map pairs { type ipv4_addr . mark : ipv4_addr . inet_service; elements = { 1.2.3.4 . 5 : 5.6.7.8 . 80 } }
        chain c {
          ip saddr . tcp dport @pair counter
          ip saddr . tcp dport . meta l4proto @ranges accept
          ip saddr . tcp dport vmap @verdicts
          iifname . ip saddr { "lo" . 127.0.0.0/8, "eth0" . 10.0.0.0/8 } accept
        }
      }
      """),
    Self(
      "all others",
      """
      table inet t {
        set any { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, * } }
        set counted { type ipv4_addr; counter; elements = { 10.0.0.1 counter packets 1 bytes 2, * counter packets 3 bytes 4 } }
        map verdicts { type ipv4_addr : verdict; elements = { 10.0.0.1 : drop, * : jump late } }
        map marks { type ipv4_addr . inet_service : mark; flags interval; elements = { 10.0.0.0/8 . 1-5 : 1, * : 2 } }
        chain c { ip saddr @any ip daddr vmap @verdicts; ip saddr vmap { 1.2.3.4 : accept, * : drop }; }
        chain late { counter; }
      }
      """),
    Self(
      "times", isExact: false,
      """
      table inet t {
        set a { type ipv4_addr; flags timeout; elements = { 10.0.0.1 timeout 1h, 10.0.0.2 timeout 2d expires 5h, 10.0.0.3 } }
        set b { type ipv4_addr; flags timeout; timeout 1d; gc-interval 1m; elements = { 10.0.0.1, 10.0.0.2 timeout 1h, 10.0.0.3 expires 30m } }
        set c { type ipv4_addr; flags interval, timeout; elements = { 10.0.0.0/8 timeout 3h, 192.0.2.1 } }
        set e { type ipv4_addr; flags interval, timeout; timeout 4h; elements = { 10.0.0.0/8, 192.0.2.1, 11.0.0.0-11.0.0.9 timeout 1h } }
        set d { type ipv4_addr . inet_service; flags interval, timeout; timeout 5h; elements = { 10.0.0.0/8 . 22, 1.2.3.4 . 1-9 timeout 1h } }
        map m { type ipv4_addr : verdict; flags timeout; elements = { 10.0.0.1 timeout 1h : accept, 10.0.0.9 : drop } }
        chain c { ip saddr @a ip saddr @b ip saddr vmap @m; }
      }
      """),
    Self(
      "what sets are for",
      """
      table inet t {
        set sized { type ipv4_addr; size 128; policy memory; elements = { 1.2.3.4 } }
        set small { type inet_service; size 2; flags constant; elements = { 1, 2 } }
        set commented { type ipv4_addr; comment "all of it"; elements = { 1.2.3.4 comment "one", 1.2.3.5 comment "two" } }
        set states { type ipv4_addr; counter; elements = { 1.2.3.4 counter packets 5 bytes 6 } }
        set limits { type ipv4_addr; limit rate 5/second; elements = { 1.2.3.4 limit rate 5/second } }
        chain c { ip saddr @states ip daddr @commented; }
      }
      """),
    Self(
      "maps",
      """
      table inet t {
        map marks { type inet_service : mark; elements = { 22 : 1, 80 : 0xff } }
        map addresses { type ipv4_addr : ipv4_addr; elements = { 1.2.3.4 : 5.6.7.8 } }
        map verdicts { type inet_service : verdict; elements = { 22 : accept, 23 : drop, 24 : jump x, 25 : goto y, 26 : return, 27 : continue } }
        map intervals { type mark : verdict; flags interval; elements = { 0-9 : accept, 20-29 : jump x } }
        map counted { type inet_service : mark; counter; elements = { 22 counter packets 1 bytes 1 : 5 } }
        chain x { counter; }
        chain y { meta mark set tcp dport map @marks; tcp dport vmap @verdicts; meta mark set tcp dport map { 1 : 2, 3 : 4 }; ip dscp vmap { cs0 : continue, cs1 : drop }; }
      }
      """),
    Self(
      "dynamic sets", isExact: false,
      """
      table ip t {
        set seen { type ipv4_addr; flags dynamic, timeout; timeout 5m; size 100; }
        set plain { type ipv4_addr; flags dynamic; size 100; }
        set metered { type ipv4_addr; flags dynamic; size 50; counter; limit rate 1/second; }
        set pairs { type ipv4_addr . inet_service; flags dynamic, timeout; timeout 1h; }
        map chosen { type ipv4_addr : mark; flags dynamic, timeout; timeout 1h; }
        map gone { type ipv4_addr : mark; flags dynamic; size 20; }
        set connections { type ipv4_addr; flags dynamic; size 40; }
        chain c {
          type filter hook input priority 0;
          add @seen { ip saddr }
          update @seen { ip saddr timeout 10s } accept comment "first"
          add @plain { ip saddr limit rate over 10/second burst 3 packets } drop
          add @plain { ip daddr counter limit rate 10/second }
          add @metered { ip saddr }
          update @pairs { ip saddr . tcp dport timeout 3m counter } counter
          add @chosen { ip saddr : meta mark }
          update @chosen { ip daddr timeout 1m : 5 }
          delete @gone { ip saddr : 5 }
          add @connections { ip saddr ct count over 20 } reject
          tcp dport 5 meter m { ip saddr limit rate 3/second } accept
        }
      }
      """),
  ]

  // MARK: Objects

  static let objects: [Self] = [
    Self(
      "counters, quotas, limits",
      """
      table inet t {
        counter a { packets 12 bytes 3456; }
        counter commented { comment "of a counter"; packets 1 bytes 2; }
        quota below { 500 mbytes; }
        quota above { over 25 mbytes used 10 mbytes; }
        quota spent { over 10 bytes used 10 bytes; }
        limit slow { rate 400/hour; }
        limit volume { rate over 1024 bytes/second burst 512 bytes; }
        map counters { type ipv4_addr : counter; elements = { 10.0.0.1 : "a", 10.0.0.2 : "commented" } }
        map quotas { type inet_service : quota; flags interval; elements = { 1-5 : "below", 80 : "above" } }
        map limits { type mark : limit; elements = { 1 : "slow" } }
        chain c {
          counter name "a" quota name "above" drop
          limit name "slow" accept
          counter name ip saddr map @counters
          quota name tcp dport map { 22 : "below", 23 : "spent" } drop
          limit name meta mark map @limits
        }
      }
      """),
    Self(
      "connection tracking",
      """
      table inet t {
        ct helper ftp { type "ftp" protocol tcp; l3proto ip; }
        ct helper sip { type "sip" protocol udp; l3proto inet; comment "calls"; }
        ct timeout short { protocol tcp; l3proto ip; policy = { established: 123, close: 12 }; }
        ct timeout dns { protocol udp; l3proto inet; policy = { unreplied: 5, replied: 10 }; }
        ct expectation passive { protocol tcp; dport 9876; timeout 2m; size 12; l3proto ip; }
        chain c {
          type filter hook prerouting priority -1;
          tcp dport 21 ct helper set "ftp"
          udp dport 5060 ct helper set "sip"
          ct timeout set "short"
          ct expectation set "passive"
          ct helper set tcp dport map { 21 : "ftp", 2121 : "ftp" }
        }
      }
      """),
    Self(
      "cookies for SYN",
      """
      table ip t {
        synproxy https { mss 1460; wscale 7; timestamp sack-perm; }
        synproxy other { mss 1000; wscale 5; }
        map proxies { type ipv4_addr : synproxy; flags interval; elements = { 192.168.1.0/24 : "https", 192.168.2.0/24 : "other" } }
        chain c { type filter hook input priority 0; tcp dport 443 synproxy name "https"; synproxy name ip saddr map @proxies; }
      }
      """),
    Self(
      "security marks", needs: "a security module that knows the context",
      "table inet t { secmark s { \"system_u:object_r:ssh_server_packet_t:s0\" }; chain c { type filter hook input priority 0; meta secmark set \"s\"; }\n}"
    ),
    Self(
      "flowtables", needs: "CONFIG_NF_FLOW_TABLE",
      """
      table inet t {
        flowtable f { hook ingress priority 0; devices = { v0, v1 }; counter; }
        flowtable g { hook ingress priority -10; devices = { v0 }; }
        chain c { type filter hook forward priority 0; ip protocol tcp flow add @f; flow add @g; }
      }
      """),
  ]

  // MARK: Families, tables, chains

  static let structures: [Self] = [
    Self(
      "every family",
      """
      table ip t { chain c { type filter hook input priority 0; policy drop; ip saddr 1.2.3.4 accept; }
      }
      table ip6 t { chain c { type filter hook input priority 0; policy drop; ip6 saddr ::1 accept; }
      }
      table inet t { chain c { type filter hook forward priority 0; policy drop; }
      }
      table arp t { chain c { type filter hook input priority 0; arp operation request arp saddr ip 10.0.0.1 arp htype 1 accept; }
      }
      table bridge t { chain c { type filter hook forward priority -200; ether type arp accept; vlan id 5 ip saddr 10.0.0.1 counter; }
      }
      table netdev t { chain c { type filter hook ingress device "v0" priority 0; ip saddr 10.0.0.1 drop; }
      }
      """),
    Self(
      "hooks, types and priorities",
      """
      table inet t {
        chain a { type filter hook prerouting priority raw; }
        chain b { type filter hook input priority -5; policy drop; }
        chain c { type filter hook forward priority filter + 10; }
        chain d { type route hook output priority mangle; meta mark set 5; }
        chain e { type filter hook postrouting priority 2147483647; }
        chain f { type filter hook input priority -2147483648; comment "the first of all"; }
        chain g { comment "none of the hooks"; }
        chain h { type filter hook ingress device "v0" priority 5; policy drop; }
      }
      """),
    Self(
      "devices",
      """
      table netdev t {
        chain a { type filter hook ingress devices = { "v0", "v1" } priority -500; policy drop; }
        chain b { type filter hook ingress device "lo" priority 0; fwd to "v1"; }
        chain c { type filter hook egress device "v0" priority 0; dup to "v1"; }
        chain d { type filter hook ingress device "v1" priority 10; ip saddr 10.0.0.1 fwd ip to 10.0.0.2 device "v0"; reject with icmp port-unreachable; fib saddr oif missing; }
      }
      """),
    Self(
      "bridges",
      """
      table bridge t {
        set macs { type ether_addr; elements = { 00:11:22:33:44:55 } }
        chain a { type filter hook prerouting priority dstnat; ether saddr @macs accept; meta protocol ip6 drop; }
        chain b { type filter hook input priority filter; ether daddr & ff:ff:00:00:00:00 == 01:00:00:00:00:00 counter; }
        chain c { type filter hook output priority out; meta mark set 1; }
        chain d { type filter hook postrouting priority srcnat; vlan pcp 3 vlan id { 1, 2 } counter; arp saddr ip 10.0.0.1 ; }
      }
      """),
    Self(
      "names of bridges", needs: "CONFIG_NFT_BRIDGE_META",
      "table bridge t { chain c { type filter hook input priority 0; meta ibrname \"br0\" accept; meta ibrpvid 5; }\n}"),
    Self(
      "refusals of bridges", needs: "CONFIG_NFT_BRIDGE_REJECT",
      "table bridge t { chain c { type filter hook input priority 0; ether type ip reject with icmp host-unreachable; }\n}"
    ),
    Self(
      "ARP",
      """
      table arp t {
        chain i { type filter hook input priority 0; policy drop; arp operation { request, reply } arp daddr ip 10.0.0.0/8 counter accept; }
        chain o { type filter hook output priority 0; arp plen 4 arp hlen 6 arp ptype ip arp saddr ether 00:11:22:33:44:55 accept; }
      }
      """),
    Self(
      "dormant tables",
      """
      table inet asleep {
        flags dormant
        comment "for later"
        set s { type ipv4_addr; elements = { 1.2.3.4 } }
        chain c { type filter hook input priority 0; policy drop; ip saddr @s counter packets 5 bytes 6 accept; }
      }
      table inet awake { comment "now"; chain c { type filter hook input priority 0; }
      }
      """),
    Self("empty tables", "table inet a { }\ntable ip6 b { }\ntable ip a { chain c { }\n}\n"),
    Self(
      "longest names",
      """
      table inet \(String(repeating: "t", count: 200)) {
        set \(String(repeating: "s", count: 200)) { type ipv4_addr; elements = { 1.2.3.4 comment "\(String(repeating: "c", count: 128))" } }
        chain \(String(repeating: "c", count: 200)) { ip saddr @\(String(repeating: "s", count: 200)) counter comment "\(String(repeating: "c", count: 128))"; }
      }
      """),
  ]
}
