import Testing

@testable import Netfilter

@Suite struct OpaqueTests {
  private static let unknown = OpaqueExtension(kernelName: "later", revision: 3, payload: zeros(16))

  /// What `iptables -L` shows of rules that other programs made with extensions it does not have.
  @Test func areListedAsUnknown() {
    #expect(Self.listing(OpaqueMatch(Self.unknown)) == "UNKNOWN match `later' ")
    #expect(Self.listing(OpaqueTarget(Self.unknown)) == "[16 bytes of unknown target data] ")
    #expect(Self.listing(OpaqueTarget(OpaqueExtension(kernelName: "later", revision: 0, payload: []))) == "")
  }

  @Test func whatTheyMeanIsUnknown() {
    var packet = Packet.example(.ipv4)
    #expect(OpaqueMatch(Self.unknown).matches(packet) == .depends(on: "a match that is not known"))
    #expect(OpaqueTarget(Self.unknown).act(on: &packet) == .depends(on: "a target that is not known"))
    #expect(packet == .example(.ipv4))
  }

  private static func listing(_ value: some Extension) -> String {
    var out = RuleWriter(family: .ipv4, names: .wellKnown)
    value.list(to: &out)
    return out.text.string
  }
}
