import Testing

@testable import Netfilter

@Suite struct LEDTargetTests {
  static let rows: [TargetRow] = [
    .reads(
      #"-j LED --led-trigger-id "foo""#, revision: 0, wire: "6e657466696c7465722d666f6f 00*27",
      lists: #"led-trigger-id:"foo" led-delay:0ms"#),
    .reads(
      #"-j LED --led-trigger-id foo --led-delay 42 --led-always-blink"#,
      prints: #"-j LED --led-trigger-id "foo" --led-delay 42 --led-always-blink"#, in: .mangle, "OUTPUT", .ipv6,
      wire: "6e657466696c7465722d666f6f 00*14 012a000000 00*8",
      lists: #"led-trigger-id:"foo" led-delay:42ms led-always-blink"#),
    .reads(
      #"-j LED --led-trigger-id "a \"b\" \\ c'd" --led-delay inf"#,
      lists: #"led-trigger-id:"a \"b\" \\ c'd" led-delay:inf"#),
    .reads(#"-j LED --led-trigger-id "" --led-delay INFINITE"#, prints: #"-j LED --led-trigger-id "" --led-delay inf"#),
    .reads(
      #"-j LED --led-trigger-id x --led-delay 0xffffffff"#, prints: #"-j LED --led-trigger-id "x" --led-delay inf"#),
    .reads(
      #"-j LED --led-trigger-id "0123456789abcdef" --led-delay 4294967294"#,
      lists: #"led-trigger-id:"0123456789abcdef" led-delay:-2ms"#),
    .reads(#"-j LED --led-trigger-id x --led-delay 0"#, prints: #"-j LED --led-trigger-id "x""#),
    .refuses("-j LED", "LED needs --led-trigger-id"),
    .refuses("-j LED --led-trigger-id 0123456789abcdefg", "at most 16 bytes"),
    .refuses("-j LED --led-trigger-id x --led-delay -1", "write inf for ever"),
    .refuses("-j LED --led-trigger-id x --led-delay 4294967296", "'4294967296' is not a number"),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(LEDTarget.self) }

  @Test(arguments: [
    ActionRow(.ipv6, "-j LED --led-trigger-id foo", .proceed)
  ])
  func action(_ row: ActionRow) throws { try row.check() }

  @Test func whatTextCannotSayStaysOpaque() {
    #expect(decodeTarget("LED", revision: 0, .ipv4, Array(repeating: 0, count: 40)) is OpaqueTarget)
    #expect(
      decodeTarget(
        "LED", revision: 0, .ipv4,
        Array("netfilter-".utf8) + Array(repeating: 0, count: 17) + [2] + Array(repeating: 0, count: 12))
        is OpaqueTarget)
    #expect(
      decodeTarget("LED", revision: 0, .ipv4, Array("netfilter-".utf8) + [0, 0x61] + Array(repeating: 0, count: 28))
        is OpaqueTarget)
    #expect(
      decodeTarget(
        "LED", revision: 0, .ipv4,
        Array("netfilter-".utf8) + Array(repeating: 0x61, count: 17) + Array(repeating: 0, count: 13)) is OpaqueTarget)
  }
}
