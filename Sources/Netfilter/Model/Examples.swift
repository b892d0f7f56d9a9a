/// A rule for each extension that shows what it is good for, as it stands behind `iptables` or `ip6tables`. The help
/// prints them; a test reads every one.
enum Examples {
  static func match(_ name: String, _ family: Family) -> StaticString? { find(name, family, matches) }
  static func target(_ name: String, _ family: Family) -> StaticString? { find(name, family, targets) }

  private typealias Line = (name: StaticString, rule: StaticString)

  private static func find(_ name: String, _ family: Family, _ lines: [Line]) -> StaticString? {
    if name == "ah", family == .ipv6 { return "-A INPUT -m ah --ahspi 500 --ahres -j ACCEPT" }
    return lines.first { "\($0.name)" == name }?.rule
  }

  private static let matches: [Line] = [
    ("addrtype", "-A INPUT -m addrtype --dst-type BROADCAST -j DROP"),
    ("ah", "-A INPUT -p ah -m ah --ahspi 500 -j ACCEPT"),
    ("bpf", "-A INPUT -m bpf --bytecode \"4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0\" -j ACCEPT"),
    ("cgroup", "-A OUTPUT -m cgroup --path user.slice -j ACCEPT"),
    (
      "cluster",
      """
      -A INPUT -m cluster --cluster-total-nodes 2 --cluster-local-node 1 --cluster-hash-seed 0xfeed -j ACCEPT
      """
    ),
    ("comment", "-A INPUT -p tcp --dport 22 -m comment --comment \"until the move in May\" -j ACCEPT"),
    ("connbytes", "-A FORWARD -m connbytes --connbytes 10000000: --connbytes-dir both --connbytes-mode bytes -j DROP"),
    ("connlabel", "-A FORWARD -m connlabel --label 1 -j ACCEPT"),
    ("connlimit", "-A INPUT -p tcp --syn --dport 80 -m connlimit --connlimit-above 20 -j REJECT"),
    ("connmark", "-A FORWARD -m connmark --mark 0x1/0xff -j ACCEPT"),
    ("conntrack", "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"),
    ("cpu", "-t raw -A PREROUTING -m cpu --cpu 0 -j ACCEPT"),
    ("dccp", "-A INPUT -p dccp -m dccp --dport 5001 -j ACCEPT"),
    ("devgroup", "-A FORWARD -m devgroup --src-group 2 -j DROP"),
    ("dscp", "-A FORWARD -m dscp --dscp-class EF -j ACCEPT"),
    ("dst", "-A INPUT -m dst --dst-len 8 -j DROP"),
    ("ecn", "-A INPUT -m ecn --ecn-ip-ect 3 -j ACCEPT"),
    ("esp", "-A INPUT -p esp -m esp --espspi 500 -j ACCEPT"),
    ("eui64", "-A INPUT -m eui64 -j ACCEPT"),
    ("frag", "-A INPUT -m frag --fragfirst -j DROP"),
    (
      "hashlimit",
      """
      -A INPUT -p udp --dport 53 -m hashlimit --hashlimit-above 50/sec --hashlimit-mode srcip --hashlimit-name dns \
      -j DROP
      """
    ),
    ("hbh", "-A INPUT -m hbh --hbh-len 8 -j DROP"),
    ("helper", "-A INPUT -m helper --helper ftp -m conntrack --ctstate RELATED -j ACCEPT"),
    ("hl", "-A INPUT -m hl --hl-lt 5 -j DROP"),
    ("icmp", "-A INPUT -p icmp -m icmp --icmp-type echo-request -j ACCEPT"),
    ("icmp6", "-A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type neighbour-solicitation -j ACCEPT"),
    ("ipcomp", "-A INPUT -p ipcomp -m ipcomp --ipcompspi 18 -j ACCEPT"),
    ("iprange", "-A INPUT -m iprange --src-range 192.0.2.10-192.0.2.20 -j ACCEPT"),
    ("ipv6header", "-A INPUT -m ipv6header --header frag --soft -j DROP"),
    ("ipvs", "-A POSTROUTING -t mangle -m ipvs --vaddr 192.0.2.1 --vport 80 -j ACCEPT"),
    ("length", "-A INPUT -p icmp -m length --length 1500:65535 -j DROP"),
    ("limit", "-A INPUT -m limit --limit 5/minute -j LOG"),
    ("mac", "-A INPUT -m mac --mac-source 00:53:00:12:34:56 -j ACCEPT"),
    ("mark", "-A INPUT -m mark --mark 0x1/0xff -j ACCEPT"),
    ("mh", "-A INPUT -p mobility-header -m mh --mh-type binding-refresh-request -j ACCEPT"),
    ("multiport", "-A INPUT -p tcp -m multiport --dports 22,80,443,8000:8080 -j ACCEPT"),
    ("nfacct", "-A INPUT -p tcp --dport 80 -m nfacct --nfacct-name web"),
    ("osf", "-A INPUT -p tcp --syn -m osf --genre Linux -j ACCEPT"),
    ("owner", "-A OUTPUT -m owner --uid-owner 1000 -j REJECT"),
    ("physdev", "-A FORWARD -m physdev --physdev-in eth0 --physdev-is-bridged -j ACCEPT"),
    ("pkttype", "-A INPUT -m pkttype --pkt-type broadcast -j DROP"),
    ("policy", "-A INPUT -m policy --dir in --pol ipsec --proto esp -j ACCEPT"),
    ("quota", "-A FORWARD -m quota --quota 1000000000 -j ACCEPT"),
    ("rateest", "-A FORWARD -m rateest --rateest uplink --rateest-gt --rateest-bps 1mbit -j DROP"),
    ("realm", "-A FORWARD -m realm --realm 10 -j ACCEPT"),
    ("recent", "-A INPUT -p tcp --dport 22 -m recent --name ssh --update --seconds 60 --hitcount 4 -j DROP"),
    ("rpfilter", "-t raw -A PREROUTING -m rpfilter --invert -j DROP"),
    ("rt", "-A INPUT -m rt --rt-type 0 -j DROP"),
    ("set", "-A INPUT -m set --match-set blocklist src -j DROP"),
    ("sctp", "-A INPUT -p sctp -m sctp --dport 3868 -j ACCEPT"),
    ("socket", "-t mangle -A PREROUTING -p tcp -m socket --transparent -j MARK --set-mark 1"),
    ("srh", "-A INPUT -m srh --srh-segs-left-gt 3 -j DROP"),
    ("state", "-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT"),
    ("statistic", "-A FORWARD -m statistic --mode random --probability 0.01 -j NFLOG"),
    ("string", "-A FORWARD -p tcp --dport 80 -m string --string attack --algo bm -j DROP"),
    ("tcp", "-A INPUT -p tcp -m tcp --dport 22 --syn -j ACCEPT"),
    ("tcpmss", "-A FORWARD -p tcp --syn -m tcpmss --mss 1461:65535 -j DROP"),
    ("time", "-A FORWARD -m time --timestart 08:00 --timestop 18:00 --weekdays Mon,Tue,Wed,Thu,Fri -j ACCEPT"),
    ("tos", "-A FORWARD -m tos --tos Minimize-Delay -j ACCEPT"),
    ("ttl", "-A INPUT -m ttl --ttl-lt 5 -j DROP"),
    ("u32", "-A INPUT -p udp -m u32 --u32 \"0>>22&0x3C@8=0x01020304\" -j DROP"),
    ("udp", "-A INPUT -p udp -m udp --dport 53 -j ACCEPT"),
  ]

  private static let targets: [Line] = [
    ("AUDIT", "-A INPUT -j AUDIT --type drop"),
    ("CHECKSUM", "-t mangle -A POSTROUTING -p udp --dport 68 -j CHECKSUM --checksum-fill"),
    ("CLASSIFY", "-t mangle -A POSTROUTING -p tcp --sport 80 -j CLASSIFY --set-class 1:20"),
    ("CONNMARK", "-t mangle -A PREROUTING -j CONNMARK --restore-mark"),
    ("CONNSECMARK", "-t security -A INPUT -j CONNSECMARK --save"),
    ("CT", "-t raw -A PREROUTING -p tcp --dport 21 -j CT --helper ftp"),
    ("DNAT", "-t nat -A PREROUTING -p tcp --dport 80 -j DNAT --to-destination 192.0.2.10:8080"),
    ("DNPT", "-t mangle -A PREROUTING -d 2001:db8::/64 -j DNPT --src-pfx 2001:db8::/64 --dst-pfx fd00::/64"),
    ("DSCP", "-t mangle -A FORWARD -p udp --dport 5060 -j DSCP --set-dscp-class EF"),
    ("ECN", "-t mangle -A OUTPUT -p tcp -d 192.0.2.1 -j ECN --ecn-tcp-remove"),
    ("HL", "-t mangle -A POSTROUTING -j HL --hl-set 64"),
    ("HMARK", "-t mangle -A PREROUTING -j HMARK --hmark-tuple src,dst --hmark-mod 2 --hmark-rnd 0xfeed"),
    ("IDLETIMER", "-A OUTPUT -o wlan0 -j IDLETIMER --timeout 60 --label wlan0"),
    ("LED", "-A INPUT -p tcp --dport 22 -j LED --led-trigger-id ssh --led-delay 1000"),
    ("LOG", "-A INPUT -j LOG --log-prefix \"dropped: \" --log-level info"),
    ("MARK", "-t mangle -A PREROUTING -i eth1 -j MARK --set-mark 0x1/0xff"),
    ("MASQUERADE", "-t nat -A POSTROUTING -o eth0 -j MASQUERADE"),
    ("NETMAP", "-t nat -A PREROUTING -d 192.0.2.0/24 -j NETMAP --to 198.51.100.0/24"),
    ("NFLOG", "-A INPUT -j NFLOG --nflog-group 2 --nflog-prefix dropped"),
    ("NFQUEUE", "-A FORWARD -j NFQUEUE --queue-num 1 --queue-bypass"),
    ("NOTRACK", "-t raw -A PREROUTING -p udp --dport 53 -j NOTRACK"),
    (
      "RATEEST",
      """
      -t mangle -A FORWARD -o eth0 -j RATEEST --rateest-name uplink --rateest-interval 250ms --rateest-ewmalog 500ms
      """
    ),
    ("REDIRECT", "-t nat -A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 8080"),
    ("REJECT", "-A INPUT -p tcp --dport 113 -j REJECT --reject-with tcp-reset"),
    ("SET", "-A INPUT -p tcp --dport 23 -j SET --add-set blocklist src --exist --timeout 600"),
    ("SECMARK", "-t security -A INPUT -p tcp --dport 80 -j SECMARK --selctx system_u:object_r:httpd_packet_t:s0"),
    ("SNAT", "-t nat -A POSTROUTING -o eth0 -j SNAT --to-source 192.0.2.1"),
    ("SNPT", "-t mangle -A POSTROUTING -s fd00::/64 -j SNPT --src-pfx fd00::/64 --dst-pfx 2001:db8::/64"),
    (
      "SYNPROXY",
      "-A INPUT -p tcp --dport 80 -m conntrack --ctstate INVALID,UNTRACKED -j SYNPROXY --mss 1460 --wscale 7"
    ),
    ("TCPMSS", "-t mangle -A FORWARD -p tcp --syn -j TCPMSS --clamp-mss-to-pmtu"),
    ("TCPOPTSTRIP", "-t mangle -A FORWARD -p tcp -j TCPOPTSTRIP --strip-options timestamp"),
    ("TEE", "-t mangle -A PREROUTING -i eth0 -j TEE --gateway 192.0.2.9"),
    ("TOS", "-t mangle -A OUTPUT -p tcp --dport 22 -j TOS --set-tos Minimize-Delay"),
    ("TPROXY", "-t mangle -A PREROUTING -p tcp --dport 80 -j TPROXY --on-port 3129 --tproxy-mark 0x1/0x1"),
    ("TRACE", "-t raw -A PREROUTING -p tcp --dport 80 -j TRACE"),
    ("TTL", "-t mangle -A POSTROUTING -j TTL --ttl-set 64"),
  ]
}
