/// Gives the packet a security context (`struct xt_secmark_target_info_v1`, linux/netfilter/xt_SECMARK.h).
public struct SecMark: Target {
  /// An SELinux context, such as `system_u:object_r:httpd_packet_t:s0`.
  public var context: BareName<255>

  public init(_ context: BareName<255>) { self.context = context }
}

// MARK: Syntax

extension SecMark {
  public static let definition = ExtensionDefinition(
    "SECMARK", summary: "give the packet a security context", revisions: [0, 1], tables: [.mangle, .security],
    options: [OptionSpec("--selctx", .string(maxBytes: 255), required: true, "an SELinux context")])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    guard let context: BareName<255> = try options.bareName("--selctx") else {
      throw options.error("--selctx", "a context is missing")
    }
    self.context = context
  }

  public func print(to out: inout RuleWriter) {
    out.option("--selctx")
    out.word(context.text)
  }

  public func list(to out: inout RuleWriter) {
    out.word("SECMARK selctx")
    out.word(context.text)
  }
}

// MARK: Kernel bytes

extension SecMark {
  private static let selinux: UInt8 = 0x01
  /// The kernel's number of the context at the end, and the gap before it.
  private static let privateSize = 7

  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(Self.selinux)
    out.write(context)
    out.zeros(Self.privateSize)
  }

  /// In revision 0 the kernel's number stands before the context.
  public func encode(to out: inout ByteWriter, family: Family, earlier revision: UInt8) -> Bool {
    guard revision == 0 else { return false }
    out.write(Self.selinux)
    out.zeros(Self.privateSize)
    out.write(context)
    return true
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    guard try bytes.uint8("mode") == Self.selinux else { throw bytes.invalid("mode") }
    if revision == 0 { try bytes.skip("secid", Self.privateSize) }  // the kernel shows its number
    guard let context: BareName<255> = try bytes.bareName("secctx") else { throw bytes.invalid("secctx") }
    if revision == 1 { try bytes.zeros("secid", Self.privateSize) }
    self.context = context
  }
}

// MARK: Meaning

extension SecMark {
  public func act(on packet: inout Packet) -> TargetOutcome { .proceed }
}
