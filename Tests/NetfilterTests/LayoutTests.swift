import CIPTables
import Testing

@testable import Netfilter

/// What is written has the size and the offsets of the kernel's own headers, all of which can be included together.
@Suite struct LayoutTests {
  /// An extension by a rule that uses it, and the size of its C structure.
  struct Row: Sendable, CustomTestStringConvertible {
    let kernelName: String
    let revision: UInt8
    let family: Family
    let rule: String
    let size: Int

    init(_ kernelName: String, _ revision: UInt8, _ rule: String, _ size: Int, _ family: Family = .ipv4) {
      (self.kernelName, self.revision, self.rule, self.size, self.family) = (kernelName, revision, rule, size, family)
    }

    var testDescription: String { "\(kernelName) \(revision) \(family)" }

    /// Whether the registry has the extension; a row waits here until it does.
    var isKnown: Bool {
      !Registry.standard.matches(kernelName: kernelName, revision: revision, family: family).isEmpty
        || !Registry.standard.targets(kernelName: kernelName, revision: revision, family: family).isEmpty
    }
  }

  static let filterRows: [Row] = [
    Row("tcp", 0, "-p tcp -m tcp --dport 22", MemoryLayout<xt_tcp>.size),
    Row("udp", 0, "-p udp -m udp --dport 53", MemoryLayout<xt_udp>.size),
    Row("mark", 1, "-m mark --mark 1", MemoryLayout<xt_mark_mtinfo1>.size),
    Row("conntrack", 3, "-m conntrack --ctstate NEW", MemoryLayout<xt_conntrack_mtinfo3>.size),
    Row("multiport", 1, "-p tcp -m multiport --dports 1,2:3", MemoryLayout<xt_multiport_v1>.size),
    Row("limit", 0, "-m limit --limit 1/sec", MemoryLayout<xt_rateinfo>.size),
    Row("iprange", 1, "-m iprange --src-range 192.0.2.1-192.0.2.2", MemoryLayout<xt_iprange_mtinfo>.size),
    Row("recent", 1, "-m recent --set", MemoryLayout<xt_recent_mtinfo_v1>.size),
    Row("addrtype", 1, "-m addrtype --dst-type LOCAL", MemoryLayout<xt_addrtype_info_v1>.size),
    Row("comment", 0, "-m comment --comment text", MemoryLayout<xt_comment_info>.size),
    Row("mac", 0, "-m mac --mac-source 00:11:22:33:44:55", MemoryLayout<xt_mac_info>.size),
    Row("pkttype", 0, "-m pkttype --pkt-type broadcast", MemoryLayout<xt_pkttype_info>.size),
    Row("string", 1, "-m string --string x --algo bm", MemoryLayout<xt_string_info>.size),
    Row("statistic", 0, "-m statistic --mode nth --every 2 --packet 0", MemoryLayout<xt_statistic_info>.size),
    Row("policy", 0, "-m policy --dir in --pol none", MemoryLayout<xt_policy_info>.size),
    Row("connlimit", 1, "-m connlimit --connlimit-above 2", MemoryLayout<xt_connlimit_info>.size),
    Row(
      "hashlimit", 3, "-m hashlimit --hashlimit-upto 1/s --hashlimit-name x", MemoryLayout<xt_hashlimit_mtinfo3>.size),
    Row("length", 0, "-m length --length 1", MemoryLayout<xt_length_info>.size),
    Row("tcpmss", 0, "-p tcp -m tcpmss --mss 1", MemoryLayout<xt_tcpmss_match_info>.size),
    Row("physdev", 0, "-m physdev --physdev-is-in", MemoryLayout<xt_physdev_info>.size),
    Row("time", 0, "-m time --weekdays Mon", MemoryLayout<xt_time_info>.size),
    Row(
      "connbytes", 0, "-m connbytes --connbytes 1 --connbytes-mode bytes --connbytes-dir both",
      MemoryLayout<xt_connbytes_info>.size),
    Row("connmark", 1, "-m connmark --mark 1", MemoryLayout<xt_connmark_mtinfo1>.size),
    Row("helper", 0, "-m helper --helper ftp", MemoryLayout<xt_helper_info>.size),
    Row("quota", 0, "-m quota --quota 1", MemoryLayout<xt_quota_info>.size),
    Row("ttl", 0, "-m ttl --ttl-eq 1", MemoryLayout<ipt_ttl_info>.size),
    Row("set", 4, "-m set --match-set foo src", MemoryLayout<xt_set_info_match_v4>.size),
    Row("SET", 3, "-j SET --add-set foo src", MemoryLayout<xt_set_info_target_v3>.size),
    Row("hl", 0, "-m hl --hl-eq 1", MemoryLayout<ip6t_hl_info>.size, .ipv6),
    Row("socket", 3, "-m socket", MemoryLayout<xt_socket_mtinfo3>.size),
    Row("sctp", 0, "-p sctp -m sctp --dport 22", MemoryLayout<xt_sctp_info>.size),
    Row("rt", 0, "-m rt --rt-type 0", MemoryLayout<ip6t_rt>.size, .ipv6),
    Row("u32", 0, "-m u32 --u32 0=1", MemoryLayout<xt_u32>.size),
    Row("dscp", 0, "-m dscp --dscp 1", MemoryLayout<xt_dscp_info>.size),
    Row("tos", 1, "-m tos --tos 1", MemoryLayout<xt_tos_match_info>.size),
    Row("ipv6header", 0, "-m ipv6header --header frag", MemoryLayout<ip6t_ipv6header_info>.size, .ipv6),
    Row("frag", 0, "-m frag --fragfirst", MemoryLayout<ip6t_frag>.size, .ipv6),
    Row("hbh", 0, "-m hbh --hbh-len 8", MemoryLayout<ip6t_opts>.size, .ipv6),
    Row("dst", 0, "-m dst --dst-len 8", MemoryLayout<ip6t_opts>.size, .ipv6),
    Row("ah", 0, "-p ah -m ah --ahspi 1", MemoryLayout<ipt_ah>.size),
    Row("ah", 0, "-m ah --ahspi 1", MemoryLayout<ip6t_ah>.size, .ipv6),
    Row("esp", 0, "-p esp -m esp --espspi 1", MemoryLayout<xt_esp>.size),
    Row("ecn", 0, "-m ecn --ecn-ip-ect 1", MemoryLayout<xt_ecn_info>.size),
    Row("dccp", 0, "-p dccp -m dccp --dport 1", MemoryLayout<xt_dccp_info>.size),
    Row("mh", 0, "-p mh -m mh --mh-type 1", MemoryLayout<ip6t_mh>.size, .ipv6),
    Row(
      "cluster", 0, "-m cluster --cluster-total-nodes 2 --cluster-local-node 1 --cluster-hash-seed 1",
      MemoryLayout<xt_cluster_match_info>.size),
    Row("cpu", 0, "-m cpu --cpu 0", MemoryLayout<xt_cpu_info>.size),
    Row("devgroup", 0, "-m devgroup --src-group 1", MemoryLayout<xt_devgroup_info>.size),
    Row("realm", 0, "-m realm --realm 1", MemoryLayout<xt_realm_info>.size),
    Row("connlabel", 0, "-m connlabel --label 1", MemoryLayout<xt_connlabel_mtinfo>.size),
    Row("cgroup", 2, "-m cgroup --path /", MemoryLayout<xt_cgroup_info_v2>.size),
    Row("ipcomp", 0, "-p ipcomp -m ipcomp", MemoryLayout<xt_ipcomp>.size),
    Row("eui64", 0, "-m eui64", MemoryLayout<CInt>.size, .ipv6),
    Row("nfacct", 1, "-m nfacct --nfacct-name a", MemoryLayout<xt_nfacct_match_info_v1>.size),
    Row("ipvs", 0, "-m ipvs --ipvs", MemoryLayout<xt_ipvs_mtinfo>.size),
    Row("rateest", 0, "-m rateest --rateest a --rateest-lt --rateest-pps 1", MemoryLayout<xt_rateest_match_info>.size),
    Row("srh", 1, "-m srh", MemoryLayout<ip6t_srh1>.size, .ipv6),
    Row("bpf", 1, "-m bpf --bytecode \"1,6 0 0 0\"", MemoryLayout<xt_bpf_info_v1>.size),
    Row("MARK", 2, "-j MARK --set-mark 1", MemoryLayout<xt_mark_tginfo2>.size),
    Row("LOG", 0, "-j LOG", MemoryLayout<xt_log_info>.size),
    Row("REJECT", 0, "-j REJECT", MemoryLayout<ipt_reject_info>.size),
    Row("REJECT", 0, "-j REJECT", MemoryLayout<ip6t_reject_info>.size, .ipv6),
  ]

  static let outputRows: [Row] = [
    Row("owner", 1, "-m owner --uid-owner 0", MemoryLayout<xt_owner_match_info>.size)
  ]

  static let natRows: [Row] = [
    Row("SNAT", 0, "-A POSTROUTING -j SNAT --to-source 192.0.2.1", MemoryLayout<nf_nat_ipv4_multi_range_compat>.size),
    Row("SNAT", 1, "-A POSTROUTING -j SNAT --to-source ::1", MemoryLayout<nf_nat_range>.size, .ipv6),
    Row("DNAT", 2, "-A PREROUTING -j DNAT --to-destination 192.0.2.1", MemoryLayout<nf_nat_range2>.size),
    Row("DNAT", 2, "-A PREROUTING -j DNAT --to-destination ::1", MemoryLayout<nf_nat_range2>.size, .ipv6),
    Row("MASQUERADE", 0, "-A POSTROUTING -j MASQUERADE", MemoryLayout<nf_nat_ipv4_multi_range_compat>.size),
    Row("MASQUERADE", 0, "-A POSTROUTING -j MASQUERADE", MemoryLayout<nf_nat_range>.size, .ipv6),
    Row("REDIRECT", 0, "-A PREROUTING -j REDIRECT", MemoryLayout<nf_nat_ipv4_multi_range_compat>.size),
    Row("REDIRECT", 0, "-A PREROUTING -j REDIRECT", MemoryLayout<nf_nat_range>.size, .ipv6),
    Row("NETMAP", 0, "-A PREROUTING -j NETMAP --to 192.0.2.0/24", MemoryLayout<nf_nat_ipv4_multi_range_compat>.size),
    Row("NETMAP", 0, "-A PREROUTING -j NETMAP --to ::/64", MemoryLayout<nf_nat_range>.size, .ipv6),
  ]

  static let mangleRows: [Row] = [
    Row("rpfilter", 0, "-A PREROUTING -m rpfilter", MemoryLayout<xt_rpfilter_info>.size),
    Row("TCPMSS", 0, "-A FORWARD -p tcp --syn -j TCPMSS --set-mss 1400", MemoryLayout<xt_tcpmss_info>.size),
    Row("CONNMARK", 2, "-A FORWARD -j CONNMARK --save-mark", MemoryLayout<xt_connmark_tginfo2>.size),
    Row("TEE", 1, "-A FORWARD -j TEE --gateway 192.0.2.1", MemoryLayout<xt_tee_tginfo>.size),
    Row("CHECKSUM", 0, "-A FORWARD -j CHECKSUM --checksum-fill", MemoryLayout<xt_CHECKSUM_info>.size),
    Row("NFLOG", 0, "-A FORWARD -j NFLOG", MemoryLayout<xt_nflog_info>.size),
    Row("NFQUEUE", 3, "-A FORWARD -j NFQUEUE", MemoryLayout<xt_NFQ_info_v3>.size),
    Row("CLASSIFY", 0, "-A FORWARD -j CLASSIFY --set-class 1:2", MemoryLayout<xt_classify_target_info>.size),
    Row("DSCP", 0, "-A FORWARD -j DSCP --set-dscp 1", MemoryLayout<xt_DSCP_info>.size),
    Row("TOS", 1, "-A FORWARD -j TOS --set-tos 1", MemoryLayout<xt_tos_target_info>.size),
    Row("TTL", 0, "-A FORWARD -j TTL --ttl-set 1", MemoryLayout<ipt_TTL_info>.size),
    Row("HL", 0, "-A FORWARD -j HL --hl-set 1", MemoryLayout<ip6t_HL_info>.size, .ipv6),
    Row("TPROXY", 1, "-A PREROUTING -p tcp -j TPROXY --on-port 1", MemoryLayout<xt_tproxy_target_info_v1>.size),
    Row("TCPOPTSTRIP", 0, "-A FORWARD -p tcp -j TCPOPTSTRIP", MemoryLayout<xt_tcpoptstrip_target_info>.size),
    Row("SYNPROXY", 0, "-A FORWARD -p tcp -j SYNPROXY", MemoryLayout<nf_synproxy_info>.size),
    Row("AUDIT", 0, "-A FORWARD -j AUDIT --type drop", MemoryLayout<xt_audit_info>.size),
    Row("IDLETIMER", 1, "-A FORWARD -j IDLETIMER --timeout 1 --label a", MemoryLayout<idletimer_tg_info_v1>.size),
    Row("LED", 0, "-A FORWARD -j LED --led-trigger-id a", MemoryLayout<xt_led_info>.size),
    Row(
      "RATEEST", 0, "-A FORWARD -j RATEEST --rateest-name a --rateest-interval 1s --rateest-ewmalog 4s",
      MemoryLayout<xt_rateest_target_info>.size),
    Row("SECMARK", 1, "-A FORWARD -j SECMARK --selctx a", MemoryLayout<xt_secmark_target_info_v1>.size),
    Row("CONNSECMARK", 0, "-A FORWARD -j CONNSECMARK --save", MemoryLayout<xt_connsecmark_target_info>.size),
    Row("ECN", 0, "-A FORWARD -j ECN --ecn-ip-ect 1", MemoryLayout<ipt_ECN_info>.size),
    Row(
      "HMARK", 0, "-A FORWARD -j HMARK --hmark-tuple src --hmark-rnd 1 --hmark-mod 2",
      MemoryLayout<xt_hmark_info>.size),
    Row(
      "DNPT", 0, "-A PREROUTING -j DNPT --src-pfx 2001:db8::/64 --dst-pfx fd00::/64",
      MemoryLayout<ip6t_npt_tginfo>.size, .ipv6),
    Row(
      "SNPT", 0, "-A POSTROUTING -j SNPT --src-pfx 2001:db8::/64 --dst-pfx fd00::/64",
      MemoryLayout<ip6t_npt_tginfo>.size, .ipv6),
  ]

  static let rawRows: [Row] = [
    Row("CT", 2, "-A PREROUTING -j CT --notrack", MemoryLayout<xt_ct_target_info_v1>.size),
    Row("CT", 2, "-A PREROUTING -j NOTRACK", MemoryLayout<xt_ct_target_info_v1>.size, .ipv6),
  ]

  @Test(arguments: filterRows.filter { $0.isKnown })
  func sizeInFilter(_ row: Row) throws { try check(row, "*filter\n-A INPUT \(row.rule)\nCOMMIT\n") }

  @Test(arguments: outputRows.filter { $0.isKnown })
  func sizeInOutput(_ row: Row) throws { try check(row, "*filter\n-A OUTPUT \(row.rule)\nCOMMIT\n") }

  @Test(arguments: natRows) func sizeInNAT(_ row: Row) throws { try check(row, "*nat\n\(row.rule)\nCOMMIT\n") }

  @Test(arguments: mangleRows.filter { $0.isKnown }) func sizeInMangle(_ row: Row) throws {
    try check(row, "*mangle\n\(row.rule)\nCOMMIT\n")
  }

  @Test(arguments: rawRows) func sizeInRaw(_ row: Row) throws { try check(row, "*raw\n\(row.rule)\nCOMMIT\n") }

  private func check(_ row: Row, _ text: String) throws {
    let reading = RulesText.read(text, family: row.family)
    try #require(!reading.hasErrors, "\(reading.diagnostics.map { "\($0)" })")
    let rule = try #require(reading.ruleset.tables[0].chains.lazy.compactMap { $0.rules.first }.first)
    var parts: [any Extension] = rule.matches
    if case .extension(let target) = rule.target { parts.append(target) }
    let part = try #require(parts.first { $0.kernelName == row.kernelName })
    #expect(part.revision(for: row.family) == row.revision)
    var out = ByteWriter()
    part.encode(to: &out, family: row.family)
    #expect(out.bytes.count == row.size)
  }

  @Test func headOfAnIPv4Rule() {
    let layout = RuleCodec.Layout.ipv4
    #expect(MemoryLayout<ipt_entry>.size == layout.size)
    #expect(MemoryLayout<ipt_entry>.offset(of: \.ip.iniface) == layout.interfaces)
    #expect(MemoryLayout<ipt_entry>.offset(of: \.ip.proto) == layout.proto)
    #expect(MemoryLayout<ipt_entry>.offset(of: \.ip.flags) == layout.flags)
    #expect(MemoryLayout<ipt_entry>.offset(of: \.ip.invflags) == layout.invertFlags)
    #expect(MemoryLayout<ipt_entry>.offset(of: \.nfcache) == layout.cache)
    #expect(MemoryLayout<ipt_entry>.offset(of: \.target_offset) == layout.targetOffset)
    #expect(MemoryLayout<ipt_entry>.offset(of: \.next_offset) == layout.nextOffset)
    #expect(MemoryLayout<ipt_entry>.offset(of: \.comefrom) == layout.comeFrom)
    #expect(MemoryLayout<ipt_entry>.offset(of: \.counters) == layout.counters)
  }

  @Test func headOfAnIPv6Rule() {
    let layout = RuleCodec.Layout.ipv6
    #expect(MemoryLayout<ip6t_entry>.size == layout.size)
    #expect(MemoryLayout<ip6t_entry>.offset(of: \.ipv6.iniface) == layout.interfaces)
    #expect(MemoryLayout<ip6t_entry>.offset(of: \.ipv6.proto) == layout.proto)
    #expect(MemoryLayout<ip6t_entry>.offset(of: \.ipv6.flags) == layout.flags)
    #expect(MemoryLayout<ip6t_entry>.offset(of: \.ipv6.invflags) == layout.invertFlags)
    #expect(MemoryLayout<ip6t_entry>.offset(of: \.nfcache) == layout.cache)
    #expect(MemoryLayout<ip6t_entry>.offset(of: \.target_offset) == layout.targetOffset)
    #expect(MemoryLayout<ip6t_entry>.offset(of: \.next_offset) == layout.nextOffset)
    #expect(MemoryLayout<ip6t_entry>.offset(of: \.comefrom) == layout.comeFrom)
    #expect(MemoryLayout<ip6t_entry>.offset(of: \.counters) == layout.counters)
  }

  @Test func headersAndVerdicts() {
    #expect(MemoryLayout<xt_entry_match>.size == RuleCodec.extensionHeaderSize)
    #expect(MemoryLayout<xt_entry_target>.size == RuleCodec.extensionHeaderSize)
    #expect(MemoryLayout<xt_standard_target>.size == RuleCodec.standardTargetSize)
    #expect(Int(XT_EXTENSION_MAXNAMELEN) == RuleCodec.extensionNameSize)
    #expect(Int(XT_EXTENSION_MAXNAMELEN) - 1 == ChainName.maxBytes)
    #expect(UInt8(IPT_F_FRAG) == RuleCodec.Flag.fragment)
    #expect(UInt8(IPT_F_GOTO) == RuleCodec.Flag.goto4)
    #expect(UInt8(IP6T_F_PROTO) == RuleCodec.Flag.proto6)
    #expect(UInt8(IP6T_F_GOTO) == RuleCodec.Flag.goto6)
  }
}
