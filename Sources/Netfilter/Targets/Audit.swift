/// Writes a record of the packet for the audit daemon (`struct xt_audit_info`, linux/netfilter/xt_AUDIT.h).
public struct Audit: Target {
  public var type: AuditType

  public init(_ type: AuditType) { self.type = type }
}

/// What the record says is done with the packet. Raw values are `XT_AUDIT_TYPE_*`.
public enum AuditType: UInt8, Hashable, Sendable, CaseIterable {
  case accept = 0
  case drop = 1
  case reject = 2

  fileprivate static let names: [StaticString] = ["accept", "drop", "reject"]
}

// MARK: Syntax

extension Audit {
  public static let definition = ExtensionDefinition(
    "AUDIT", summary: "write a record for the audit daemon",
    options: [
      OptionSpec("--type", .choice(AuditType.names), required: true, "what the record says is done with the packet")
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    guard let place = try options.choice("--type"), let type = AuditType(rawValue: UInt8(place)) else {
      throw options.error("--type", "a type is missing")
    }
    self.type = type
  }

  public func print(to out: inout RuleWriter) {
    out.option("--type")
    out.word(AuditType.names[Int(type.rawValue)])
  }

  public func list(to out: inout RuleWriter) {
    out.word("AUDIT")
    out.word(AuditType.names[Int(type.rawValue)])
  }
}

// MARK: Kernel bytes

extension Audit {
  public func encode(to out: inout ByteWriter, family: Family) { out.write(type.rawValue) }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    guard let type = AuditType(rawValue: try bytes.uint8("type")) else { throw bytes.invalid("type") }
    self.type = type
  }
}

// MARK: Meaning

extension Audit {
  public func act(on packet: inout Packet) -> TargetOutcome { .proceed }
}
