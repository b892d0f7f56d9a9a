/// The realm of the packet's route, under a mask (`struct xt_realm_info`, linux/netfilter/xt_realm.h). Realms have
/// names in /etc/iproute2/rt_realms.
public struct Realm: Match {
  public var realm: Negatable<NumberUnderMask>

  public init(_ realm: Negatable<NumberUnderMask>) { self.realm = realm }
}

// MARK: Syntax

extension Realm {
  public static let definition = ExtensionDefinition(
    "realm", summary: "realm of the route", families: [.ipv4], hooks: [.input, .forward, .output, .postrouting],
    options: [
      OptionSpec("--realm", .custom("REALM[/MASK]"), negatable: true, required: true, "realm, by number or name")
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    guard let value = try options.namedMark("--realm", .realms) else { throw options.error("--realm", "needs REALM") }
    realm = Negatable(value, inverted: options.isInverted("--realm"))
  }

  public func print(to out: inout RuleWriter) {
    out.option("--realm", inverted: realm.isInverted)
    out.namedMark(realm.value, .realms)
  }

  public func list(to out: inout RuleWriter) {
    out.option("realm", inverted: realm.isInverted)
    out.listNamedMark(realm.value, .realms)
  }
}

// MARK: Kernel bytes

extension Realm {
  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(realm.value.value)
    out.write(realm.value.mask)
    out.write(flag: realm.isInverted)
    out.zeros(3)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let value = try bytes.uint32("id")
    let mask = try bytes.uint32("mask")
    realm = Negatable(NumberUnderMask(value, mask: mask), inverted: try bytes.flag("invert"))
    try bytes.zeros("padding", 3)
  }
}

// MARK: Meaning

extension Realm {
  public func matches(_ packet: Packet) -> Answer {
    .about(
      nil, "the realm of the route", is: realm.value.value, under: realm.value.mask, inverted: realm.isInverted)
  }
}
