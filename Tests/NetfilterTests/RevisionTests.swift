import CIPTables
import Testing

@testable import Netfilter

/// Structures of earlier revisions, which older programs write and older kernels want: what they say, and which values can
/// be said in them.
@Suite struct RevisionTests {
  /// One structure in an earlier revision.
  struct Row: Sendable, CustomTestStringConvertible {
    let name: String
    let revision: UInt8
    let family: Family
    let table: TableName
    let chain: String
    /// What the structure is printed as, with all of its rule.
    let text: String
    let bytes: [UInt8]
    /// Size of the C structure.
    let size: Int
    /// Whether the bytes are read but not written, since another structure says the same.
    let isReadOnly: Bool

    /// - Parameter hex: the bytes; a word `00*9` stands for nine zeros, `ff*9` for nine bytes of ones.
    init(
      _ name: String, _ revision: UInt8, _ text: String, _ hex: String, size: Int, _ family: Family = .ipv4,
      in table: TableName = .filter, _ chain: String = "INPUT", readOnly: Bool = false
    ) {
      (self.name, self.revision, self.family, self.text) = (name, revision, family, text)
      (self.table, self.chain, self.size, isReadOnly) = (table, chain, size, readOnly)
      bytes = hex.split(separator: " ").flatMap { word -> [UInt8] in
        let parts = word.split(separator: "*")
        let digits = Array(parts[0])
        let bytes = stride(from: 0, to: digits.count, by: 2).map { UInt8(String(digits[$0..<$0 + 2]), radix: 16)! }
        return Array(repeatElement(bytes, count: parts.count > 1 ? Int(parts[1])! : 1).joined())
      }
    }

    var testDescription: String { "\(name) \(revision) \(family) \(text)" }
    var isTarget: Bool { text.hasPrefix("-j ") || text.contains(" -j ") && name == name.uppercased() }

    /// The extension that the text stands for, in its newest revision.
    func newest() throws -> any Extension {
      let text = isTarget ? text : "\(text) -j ACCEPT"
      let reading = RulesText.read("*\(table)\n-A \(chain) \(text)\nCOMMIT\n", family: family)
      try #require(!reading.hasErrors, "\(reading.diagnostics.map { "\($0)" })")
      let rule = try #require(reading.ruleset[table, family]?[ChainName(unchecked: chain)]?.rules.first)
      if isTarget, case .extension(let target) = rule.target { return target }
      return try #require(rule.matches.last)
    }

    func decoded() -> any Extension {
      let payload = bytes.span.bytes
      return isTarget
        ? Registry.standard.decodeTarget(kernelName: name, revision: revision, family: family, payload: payload)
        : Registry.standard.decodeMatch(kernelName: name, revision: revision, family: family, payload: payload)
    }
  }

  private static func print(_ part: any Extension, _ family: Family) -> String {
    var out = RuleWriter(family: family, names: .wellKnown)
    part.print(to: &out)
    return out.text.string
  }

  static let matches: [Row] = [
    Row(
      "conntrack", 1, "-m conntrack --ctstate RELATED,ESTABLISHED", "00*128 00*8 00*2 00*8 0100 0000 06 00",
      size: MemoryLayout<xt_conntrack_mtinfo1>.size),
    Row(
      "conntrack", 1, "-m conntrack ! --ctproto 6 --ctorigsrc 192.0.2.1 --ctorigdstport 22",
      "c0000201 00*12 ff*16 00*96 00*8 0600 0000 0016 00*4 0602 0200 00 00",
      size: MemoryLayout<xt_conntrack_mtinfo1>.size),
    Row(
      "conntrack", 2, "-m conntrack --ctstate UNTRACKED --ctstatus ASSURED --ctexpire 1:9 --ctdir REPLY",
      "00*128 01000000 09000000 0000 00*8 c110 0010 0001 0400 00*2", size: MemoryLayout<xt_conntrack_mtinfo2>.size,
      .ipv6),
    Row(
      "conntrack", 1, "-m state --state NEW", "00*128 00*8 00*2 00*8 0120 0000 08 00",
      size: MemoryLayout<xt_conntrack_mtinfo1>.size),
    Row(
      "conntrack", 2, "-m state ! --state UNTRACKED", "00*128 00*8 00*2 00*8 0120 0100 0001 0000 00*2",
      size: MemoryLayout<xt_conntrack_mtinfo2>.size, .ipv6),
    Row(
      "state", 0, "-m state --state RELATED,ESTABLISHED", "06000000", size: MemoryLayout<xt_state_info>.size,
      readOnly: true),
    Row("state", 0, "-m state --state UNTRACKED", "40000000", size: MemoryLayout<xt_state_info>.size, readOnly: true),
    Row(
      "state", 0, "-m state ! --state INVALID,NEW", "f6ffffff", size: MemoryLayout<xt_state_info>.size, .ipv6,
      readOnly: true),
    Row(
      "hashlimit", 1,
      """
      -m hashlimit --hashlimit-upto 5/sec --hashlimit-burst 7 --hashlimit-mode srcip,dstport --hashlimit-name a \
      --hashlimit-htable-size 3 --hashlimit-htable-max 4 --hashlimit-srcmask 24
      """, "61 00*15 06000000 d0070000 07000000 03000000 04000000 e8030000 e8030000 1820 00*2 00*8",
      size: MemoryLayout<xt_hashlimit_mtinfo1>.size),
    Row(
      "hashlimit", 1, "-m hashlimit --hashlimit-above 512kb/s --hashlimit-name a",
      "61 00*15 30000000 fcff0100 00*4 00*4 00*4 e8030000 983a0000 8080 00*2 00*8",
      size: MemoryLayout<xt_hashlimit_mtinfo1>.size, .ipv6),
    Row(
      "hashlimit", 2, "-m hashlimit --hashlimit-upto 5/sec --hashlimit-burst 7 --hashlimit-name a-long-name-of-it",
      """
      612d6c6f6e672d6e616d652d6f662d6974 00*239 400d0300 00*4 07000000 00*4 00*4 00*4 00*4 e8030000 e8030000 2020 00*2 \
      00*8
      """, size: MemoryLayout<xt_hashlimit_mtinfo2>.size),
    Row("socket", 0, "-m socket", "", size: 0, in: .mangle, "PREROUTING"),
    Row(
      "socket", 1, "-m socket --transparent", "01", size: MemoryLayout<xt_socket_mtinfo1>.size, in: .mangle,
      "PREROUTING"),
    Row(
      "socket", 2, "-m socket --transparent --nowildcard", "03", size: MemoryLayout<xt_socket_mtinfo2>.size, .ipv6,
      in: .mangle, "PREROUTING"),
    Row(
      "recent", 0, "-m recent --rcheck --seconds 60 --hitcount 4 --name abcdefg --mask 255.255.255.255 --rsource",
      "3c000000 04000000 01 00 61626364656667 00*193 00 00", size: MemoryLayout<xt_recent_mtinfo>.size),
    Row(
      "recent", 0,
      "-m recent ! --set --name abcdefg --mask ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff --rdest",
      "00*8 02 01 61626364656667 00*193 01 00", size: MemoryLayout<xt_recent_mtinfo>.size, .ipv6),
    Row(
      "cgroup", 0, "-m cgroup ! --cgroup 7", "07000000 01000000", size: MemoryLayout<xt_cgroup_info_v0>.size,
      in: .filter, "OUTPUT"),
    Row(
      "bpf", 0, "-m bpf --bytecode \"2,48 0 0 9,6 0 0 1\"",
      "0200 0000 3000 00 00 09000000 0600 00 00 01000000 00*496 00*4 00*8", size: MemoryLayout<xt_bpf_info>.size),
    Row(
      "nfacct", 0, "-m nfacct --nfacct-name  a", "61 00*31 00*8", size: MemoryLayout<xt_nfacct_match_info>.size),
    Row(
      "addrtype", 0, "-m addrtype ! --src-type LOCAL --dst-type UNICAST", "0400 0200 01000000 00000000",
      size: MemoryLayout<xt_addrtype_info>.size),
    Row(
      "srh", 0, "-m srh --srh-next-hdr 17 --srh-segs-left-gt 3 ! --srh-tag 5", "11 00 03 00 0500 2104 0004",
      size: MemoryLayout<ip6t_srh>.size, .ipv6),
  ]

  static let targets: [Row] = [
    Row(
      "CONNMARK", 1, "-j CONNMARK --save-mark --nfmask 0xff --ctmask 0xf0", "00*4 f0000000 ff000000 01 00*3",
      size: MemoryLayout<xt_connmark_tginfo1>.size),
    Row(
      "CONNMARK", 1, "-j CONNMARK --set-xmark 0x1/0x3", "01000000 03000000 ffffffff 00 00*3",
      size: MemoryLayout<xt_connmark_tginfo1>.size, .ipv6),
    Row(
      "CT", 0, "-p tcp -j CT --helper ftp --zone 5", "0000 0500 00*8 667470 00*13 00*4 00*8",
      size: MemoryLayout<xt_ct_target_info>.size, in: .raw, "PREROUTING"),
    Row(
      "CT", 0, "-j CT --notrack", "0100 0000 00*8 00*16 00*4 00*8", size: MemoryLayout<xt_ct_target_info>.size,
      in: .raw,
      "PREROUTING"),
    Row(
      "CT", 1, "-p udp -j CT --timeout four --ctevents new", "0000 0000 01000000 00*4 00*16 666f7572 00*28 00*4 00*8",
      size: MemoryLayout<xt_ct_target_info_v1>.size, .ipv6, in: .raw, "PREROUTING"),
    Row("NOTRACK", 0, "-j NOTRACK", "", size: 0, in: .raw, "PREROUTING", readOnly: true),
    Row(
      "IDLETIMER", 0, "-j IDLETIMER --timeout 60 --label abc", "3c000000 616263 00*25 00*8",
      size: MemoryLayout<idletimer_tg_info>.size),
    Row("NFQUEUE", 0, "-j NFQUEUE --queue-num 5", "0500", size: MemoryLayout<xt_NFQ_info>.size),
    Row(
      "NFQUEUE", 1, "-j NFQUEUE --queue-balance 1:3", "0100 0300", size: MemoryLayout<xt_NFQ_info_v1>.size, .ipv6),
    Row(
      "NFQUEUE", 2, "-j NFQUEUE --queue-balance 1:3 --queue-bypass", "0100 0300 0100",
      size: MemoryLayout<xt_NFQ_info_v2>.size),
    Row(
      "SECMARK", 0, "-j SECMARK --selctx a:b", "01 00*3 00*4 613a62 00*253",
      size: MemoryLayout<xt_secmark_target_info>.size, in: .mangle),
    Row(
      "TPROXY", 0, "-p tcp -m tcp -j TPROXY --on-port 80 --on-ip 192.0.2.1 --tproxy-mark 0x1/0x3",
      "03000000 01000000 c0000201 0050 00*2", size: MemoryLayout<xt_tproxy_target_info>.size, in: .mangle, "PREROUTING"),
    Row(
      "DNAT", 0, "-p tcp -m tcp -j DNAT --to-destination 192.0.2.1:80", "01000000 03000000 c0000201 c0000201 0050 0050",
      size: MemoryLayout<nf_nat_ipv4_multi_range_compat>.size, in: .nat, "PREROUTING"),
    Row(
      "DNAT", 1, "-j DNAT --to-destination 2001:db8::1 --persistent",
      "09000000 20010db8 00*11 01 20010db8 00*11 01 00*4", size: MemoryLayout<nf_nat_range>.size, .ipv6, in: .nat,
      "PREROUTING"),
    Row(
      "SNAT", 2, "-j SNAT --to-source 192.0.2.1-192.0.2.9 --random",
      "05000000 c0000201 00*12 c0000209 00*12 00*4 00*2 00*2", size: MemoryLayout<nf_nat_range2>.size, in: .nat,
      "POSTROUTING", readOnly: true),
  ]

  @Test(arguments: matches + targets)
  func isRead(_ row: Row) throws {
    #expect(row.bytes.count == row.size)
    let part = row.decoded()
    #expect(!(part is OpaqueMatch) && !(part is OpaqueTarget))
    let newest = try row.newest()
    #expect(Self.print(part, row.family) == Self.print(newest, row.family))
    #expect(row.text.hasSuffix(part.name + Self.print(part, row.family)))
  }

  @Test(arguments: (matches + targets).filter { !$0.isReadOnly })
  func isWritten(_ row: Row) throws {
    var out = ByteWriter()
    #expect(try row.newest().encode(to: &out, family: row.family, earlier: row.revision))
    #expect(out.bytes == row.bytes)
  }

  /// What an earlier revision cannot say.
  @Test(arguments: [
    Row("conntrack", 2, "-m conntrack --ctorigsrcport 1:2", "", size: 0),
    Row("conntrack", 1, "-m conntrack --ctstate UNTRACKED", "", size: 0),
    Row("conntrack", 0, "-m conntrack --ctstate NEW", "", size: 0),
    Row("conntrack", 1, "-m state --state UNTRACKED", "", size: 0),
    Row("hashlimit", 1, "-m hashlimit --hashlimit-upto 1/s --hashlimit-name a-name-that-is-long", "", size: 0),
    Row("hashlimit", 1, "-m hashlimit --hashlimit-upto 20000/s --hashlimit-name a", "", size: 0),
    Row(
      "hashlimit", 1, "-m hashlimit --hashlimit-upto 1/s --hashlimit-burst 10001 --hashlimit-name a", "", size: 0),
    Row("hashlimit", 2, "-m hashlimit --hashlimit-upto 1/s --hashlimit-rate-match --hashlimit-name a", "", size: 0),
    Row("socket", 2, "-m socket --restore-skmark", "", size: 0, in: .mangle, "PREROUTING"),
    Row("socket", 1, "-m socket --nowildcard", "", size: 0, in: .mangle, "PREROUTING"),
    Row("socket", 0, "-m socket", "", size: 0, .ipv6, in: .mangle, "PREROUTING"),
    Row("recent", 0, "-m recent --set --mask 255.255.0.0", "", size: 0),
    Row("cgroup", 0, "-m cgroup --path /a", "", size: 0, in: .filter, "OUTPUT"),
    Row("addrtype", 0, "-m addrtype --src-type LOCAL --limit-iface-in", "", size: 0),
    Row("addrtype", 0, "-m addrtype --src-type LOCAL", "", size: 0, .ipv6),
    Row("srh", 0, "-m srh --srh-psid ::1", "", size: 0, .ipv6),
    Row("CONNMARK", 1, "-j CONNMARK --set-xmark 0x1 --left-shift-mark 2", "", size: 0),
    Row("CT", 1, "-j CT --zone mark", "", size: 0, in: .raw, "PREROUTING"),
    Row("CT", 1, "-j CT --zone-orig 5", "", size: 0, in: .raw, "PREROUTING"),
    Row("CT", 0, "-p udp -j CT --timeout four", "", size: 0, in: .raw, "PREROUTING"),
    Row("IDLETIMER", 0, "-j IDLETIMER --timeout 60 --label abc --alarm", "", size: 0),
    Row("NFQUEUE", 2, "-j NFQUEUE --queue-balance 1:3 --queue-cpu-fanout", "", size: 0),
    Row("NFQUEUE", 1, "-j NFQUEUE --queue-num 1 --queue-bypass", "", size: 0),
    Row("NFQUEUE", 0, "-j NFQUEUE --queue-balance 1:3", "", size: 0),
    Row("TPROXY", 0, "-p tcp -j TPROXY --on-port 80", "", size: 0, .ipv6, in: .mangle, "PREROUTING"),
    Row("DNAT", 0, "-p tcp -j DNAT --to-destination :80-90/1", "", size: 0, in: .nat, "PREROUTING"),
    Row("DNAT", 1, "-j DNAT --to-destination 192.0.2.1", "", size: 0, in: .nat, "PREROUTING"),
    Row("MARK", 1, "-j MARK --set-mark 1", "", size: 0),
  ])
  func cannotBeSaid(_ row: Row) throws {
    var out = ByteWriter()
    #expect(try !row.newest().encode(to: &out, family: row.family, earlier: row.revision))
    #expect(out.count == 0)
  }

  /// Bytes that are none of the revision's stay opaque.
  @Test(arguments: [
    Row("conntrack", 1, "-m x", "00*128 00*8 00*2 00*8 0100 0000 06 00 00*8", size: 0),
    Row("socket", 1, "-m x", "02", size: 0), Row("socket", 0, "-m x", "00*8", size: 0),
    Row("state", 0, "-m x", "80000000", size: 0), Row("state", 0, "-m x", "00000000", size: 0),
    Row("conntrack", 0, "-m x", "06000000", size: 0),
    Row("addrtype", 0, "-m x", "0400 0200 02000000 00000000", size: 0),
    Row("srh", 0, "-m x", "11 00 03 00 0500 2108 0004", size: 0, .ipv6),
    Row("CT", 1, "-j X", "0500 0000 00*8 00*16 00*32 00*4 00*8", size: 0),
    Row("NFQUEUE", 2, "-j X", "0100 0300 0200", size: 0), Row("TPROXY", 0, "-j X", "00*16", size: 0, .ipv6),
    Row("SNAT", 2, "-j X", "25000000 c0000201 00*12 c0000209 00*12 00*4 00*2 00*2", size: 0),
  ])
  func isKept(_ row: Row) {
    let part = row.decoded()
    let opaque = (part as? OpaqueMatch)?.opaque ?? (part as? OpaqueTarget)?.opaque
    #expect(opaque == OpaqueExtension(kernelName: row.name, revision: row.revision, payload: row.bytes))
  }
}
