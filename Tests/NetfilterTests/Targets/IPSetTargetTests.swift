import Testing

@testable import Netfilter

@Suite struct IPSetTargetTests {
  static let rows: [TargetRow] = [
    .reads(
      "-j SET --add-set foo src", revision: 3, wire: "00000102ffff0000ffff000000000000ffffffff",
      lists: "add-set foo src"),
    .reads(
      "-j SET --add-set foo src,dst --exist --timeout 30 --del-set both dst", revision: 3,
      wire: "0000020202000100ffff0000010000001e000000", lists: "add-set foo src,dst exist timeout 30 del-set both dst"),
    .reads("-j SET --del-set foo6 src", in: .raw, "PREROUTING", .ipv6, revision: 3),
    .reads(
      "-j SET --map-set both src,dst --map-mark --map-prio --map-queue", in: .mangle, "FORWARD", revision: 3,
      wire: "ffff0000ffff00000200020200070000ffffffff", lists: "map-set both src,dst map-mark map-prio map-queue"),
    .reads("-j SET --add-set foo src --timeout 4294967294"),
    .refuses("-j SET", "SET needs one of --add-set, --del-set, --map-set"),
    .refuses("-j SET --add-set bar src", "--add-set: set 'bar' does not exist"),
    .refuses("-j SET --del-set foo6 src", "set 'foo6' is of family IPv6"),
    .refuses("-j SET --del-set foo src --exist", "--exist: stands beside --add-set only"),
    .refuses("-j SET --del-set foo src --timeout 1", "--timeout: stands beside --add-set only"),
    .refuses("-j SET --add-set foo src --timeout 4294967295", "'4294967295' is not a number"),
    .refuses("-j SET --add-set foo src --map-mark", "--map-mark: stands beside --map-set only"),
    .refuses("-j SET --map-set foo src", "needs --map-mark, --map-prio or --map-queue"),
    .refuses("-j SET --map-set foo src --map-mark", "SET with these options cannot stand in table filter"),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(IPSetTarget.self) }

  @Test(arguments: [
    ActionRow(.ipv4, "-j SET --add-set foo src", .proceed, from: { $0.mark = 1 }),
    ActionRow(
      .ipv4, "-j SET --map-set foo src --map-mark", .proceed, in: .mangle, from: { $0.mark = 1 },
      leaves: { $0.mark = nil }),
    ActionRow(.ipv4, "-j SET --map-set foo src --map-prio", .proceed, in: .mangle, from: { $0.mark = 1 }),
  ])
  func action(_ row: ActionRow) throws { try row.check() }

  @Test(arguments: [
    (UInt8(1), [0, 0, 1, 2, 255, 255, 0, 0] as [UInt8], " --add-set foo src"),
    (2, [255, 255, 0, 0, 2, 0, 1, 0] + zeros(4) + ones(4), " --del-set both dst"),
    (2, [0, 0, 1, 2, 255, 255, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0], " --add-set foo src --exist --timeout 9"),
  ])
  func olderRevisions(_ revision: UInt8, _ bytes: [UInt8], _ text: String) throws {
    let target = try #require(decodeTarget("SET", revision: revision, .ipv4, bytes) as? IPSetTarget)
    #expect(target.revision(for: .ipv4) == revision)
    var wire = ByteWriter()
    target.encode(to: &wire, family: .ipv4)
    #expect(wire.bytes == bytes)
    var out = RuleWriter(family: .ipv4, names: .ofRows)
    target.print(to: &out)
    #expect(out.text.string == text)
  }

  @Test func whatTextCannotSayStaysOpaque() {
    let no: [UInt8] = [255, 255, 0, 0]
    let foo: [UInt8] = [0, 0, 1, 2]
    func isOpaque(_ bytes: [UInt8]) -> Bool { decodeTarget("SET", revision: 3, .ipv4, bytes) is OpaqueTarget }
    #expect(!isOpaque(foo + no + no + zeros(4) + ones(4)))
    #expect(isOpaque(no + no + no + zeros(4) + ones(4)))
    #expect(isOpaque(foo + no + no + [0, 1, 0, 0] + ones(4)))
    #expect(isOpaque(no + foo + no + [1, 0, 0, 0] + ones(4)))
    #expect(isOpaque(no + foo + no + zeros(4) + zeros(4)))
    #expect(isOpaque(no + no + foo + zeros(4) + ones(4)))
    #expect(isOpaque([255, 255, 1, 0] + foo + no + zeros(4) + ones(4)))
    #expect(IPSetReference(index: 1, []) == nil)
    #expect(IPSetReference(index: .max, [.source]) == nil)
  }

  /// A set that is gone is shown by its number.
  @Test func aMissingSetIsShown() throws {
    let target = try #require(IPSetTarget(removal: IPSetReference(index: 77, [.source])))
    var out = RuleWriter(family: .ipv4, names: .ofRows)
    target.print(to: &out)
    #expect(out.text.string == " --del-set #77 src")
  }
}
