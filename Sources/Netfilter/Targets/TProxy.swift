/// Hands the packet to a local socket without changing it
/// (`struct xt_tproxy_target_info_v1`, linux/netfilter/xt_TPROXY.h).
public struct TProxy: Target {
  /// The socket's port; 0 for the packet's destination port.
  public var port: UInt16
  /// The socket's address; nil for that of the interface the packet came in by.
  public var address: IPAddress?
  /// Clears the bits of `markMask` in the packet's mark and flips those of `markValue`.
  public var markValue: UInt32
  public var markMask: UInt32

  public init(port: UInt16, address: IPAddress? = nil, markValue: UInt32 = 0, markMask: UInt32 = 0) {
    self.port = port
    self.address = address?.bits == 0 ? nil : address
    self.markValue = markValue
    self.markMask = markMask
  }
}

// MARK: Syntax

extension TProxy {
  public static let definition = ExtensionDefinition(
    "TPROXY", summary: "hand the packet to a local socket", revisions: [0, 1], protocols: [.tcp, .udp],
    tables: [.mangle], hooks: .prerouting,
    options: [
      OptionSpec("--on-port", .port, required: true, "the socket's port; 0 for the packet's"),
      OptionSpec("--on-ip", .custom("ADDRESS"), "the socket's address"),
      OptionSpec("--tproxy-mark", .mark, "clear the bits of MASK in the packet's mark and flip those of VALUE"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    self.init(port: try Self.port(options))
    if let token = options.token("--on-ip") {
      let host = try options.host(token, of: "--on-ip")
      address = host.bits == 0 ? nil : host
    }
    if let mark = try options.mark("--tproxy-mark") { (markValue, markMask) = mark }
  }

  /// Numbers are decimal here, whatever digit they begin with.
  private static func port(_ options: OptionValues) throws(SyntaxError) -> UInt16 {
    guard let token = options.token("--on-port") else { throw options.error("--on-port", "a port is missing") }
    if let port = UInt16(token.string), token.bytes[0] != UInt8(ascii: "+") { return port }
    guard token.number == nil else {
      throw options.error("--on-port", "'\(token.string)' is not a port", hint: "ports go from 0 to 65535, in decimal")
    }
    return try options.names.port(token, options.proto?.value, option: "--on-port")
  }

  public func print(to out: inout RuleWriter) {
    out.option("--on-port")
    out.number(port)
    out.option("--on-ip")
    out.text.write(byte: UInt8(ascii: " "))
    out.text.write(address ?? .any(out.family))
    out.option("--tproxy-mark")
    out.hex(markValue)
    out.text.write("/0x")
    out.text.write(hex: markMask)
  }

  public func list(to out: inout RuleWriter) {
    out.word("TPROXY redirect ")
    out.text.write(address ?? .any(out.family))
    out.text.write(byte: UInt8(ascii: ":"))
    out.text.write(port)
    out.word("mark")
    out.hex(markValue)
    out.text.write("/0x")
    out.text.write(hex: markMask)
  }
}

// MARK: Kernel bytes

extension TProxy {
  /// - Precondition: the address is of the rule's family.
  public func encode(to out: inout ByteWriter, family: Family) {
    precondition((address?.family ?? family) == family, "an address of another family in an \(family) rule")
    out.write(markMask)
    out.write(markValue)
    out.write(unionAddress: address?.bits ?? 0, family)
    out.write(big: port)
    out.zeros(2)
  }

  /// Revision 0 is for IPv4 alone.
  public func encode(to out: inout ByteWriter, family: Family, earlier revision: UInt8) -> Bool {
    guard revision == 0, family == .ipv4 else { return false }
    out.write(markMask)
    out.write(markValue)
    out.write(address: address?.bits ?? 0, .ipv4)
    out.write(big: port)
    out.zeros(2)
    return true
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    guard revision == 1 || family == .ipv4 else { throw bytes.invalid("revision") }
    let mask = try bytes.uint32("mark_mask")
    let value = try bytes.uint32("mark_value")
    let address = revision == 0 ? try bytes.address("laddr", .ipv4) : try bytes.unionAddress("laddr", family)
    self.init(port: try bytes.bigUInt16("lport"), address: address, markValue: value, markMask: mask)
    try bytes.zeros("padding", 2)
  }
}

// MARK: Meaning

extension TProxy {
  public func act(on packet: inout Packet) -> TargetOutcome { .depends(on: "the sockets of this machine") }
}
