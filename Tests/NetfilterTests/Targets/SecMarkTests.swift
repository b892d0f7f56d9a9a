import Testing

@testable import Netfilter

@Suite struct SecMarkTests {
  static let rows: [TargetRow] = [
    .reads(
      "-j SECMARK --selctx system_u:object_r:firewalld_exec_t:s0", in: .security, "INPUT", revision: 1,
      wire: "0173797374656d5f753a6f626a6563745f723a66697265 77616c6c645f657865635f743a7330 00*226"),
    .reads("-j SECMARK --selctx a", in: .mangle, "FORWARD", .ipv6, lists: "SECMARK selctx a"),
    .refuses("-j SECMARK", "SECMARK needs --selctx", in: .security, "INPUT"),
    .refuses("-j SECMARK --selctx a", "SECMARK cannot stand in table filter"),
    .refuses(#"-j SECMARK --selctx """#, "--selctx: the name is empty", in: .security, "INPUT"),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(SecMark.self) }

  @Test(arguments: [
    ActionRow(.ipv4, "-j SECMARK --selctx a", .proceed, in: .mangle)
  ])
  func action(_ row: ActionRow) throws { try row.check() }

  @Test func whatTextCannotSayStaysOpaque() {
    #expect(decodeTarget("SECMARK", revision: 1, .ipv4, [1] + Array(repeating: 0, count: 263)) is OpaqueTarget)
    #expect(decodeTarget("SECMARK", revision: 1, .ipv4, [2, 0x61] + Array(repeating: 0, count: 262)) is OpaqueTarget)
    #expect(
      decodeTarget("SECMARK", revision: 1, .ipv4, [1, 0x61] + Array(repeating: 0, count: 258) + [1, 0, 0, 0])
        is OpaqueTarget)
  }
}
