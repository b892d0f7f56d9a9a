import Netfilter
import Testing

@Suite struct ControlGroupRows {
  @Test(arguments: [
    Row(.ipv4, "-m cgroup --cgroup 1", wire: [0, 1, 0, 0, 1] + zeros(523), lists: "cgroup 1"),
    Row(
      .ipv6, "-m cgroup ! --cgroup 4294967295", wire: [0, 1, 0, 1, 255, 255, 255, 255] + zeros(520),
      lists: "cgroup ! 4294967295"),
    Row(.ipv4, "-m cgroup --path \"/\"", wire: [1, 0, 0, 0, 47] + zeros(523)),
    Row(
      .ipv4, "-m cgroup ! --path /", in: "INPUT", prints: "-m cgroup ! --path \"/\"",
      wire: [1, 0, 1, 0, 47] + zeros(523), lists: "cgroup ! /"),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m cgroup --cgroup 1", .depends(on: "the control group of the packet's socket"))
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m cgroup --cgroup 1 --path /", refused: "--path cannot stand beside --cgroup"),
    Row(.ipv4, "-m cgroup", refused: "cgroup needs --path or --cgroup"),
    Row(.ipv4, "-m cgroup --cgroup 1", in: "FORWARD", refused: "cgroup cannot be used in FORWARD"),
    Row(.ipv4, "-m cgroup --cgroup 4294967296", refused: "--cgroup: '4294967296' is not a number from 0 to 4294967295"),
  ])
  func refused(_ row: Row) throws { try row.check() }

  /// What was written for a kernel before 5.0 stays in its revision.
  @Test(arguments: [
    ([1, 0, 1, 0, 47, 97] + zeros(4102) + zeros(4), "! --path \"/a\""),
    ([0, 1, 0, 0] + zeros(4096) + [7, 0, 0, 0] + zeros(8), "--cgroup 7"),
  ])
  func revision1(_ bytes: [UInt8], _ prints: String) throws {
    let match = Registry.standard.decodeMatch(
      kernelName: "cgroup", revision: 1, family: .ipv4, payload: bytes.span.bytes)
    let group = try #require(match as? ControlGroup)
    #expect(group.revision(for: .ipv4) == 1)
    var out = ByteWriter()
    group.encode(to: &out, family: .ipv4)
    #expect(out.bytes == bytes)
    #expect(SaveText.rule(Rule(matches: [group]), family: .ipv4).contains(prints))
  }
}
