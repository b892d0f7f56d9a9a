/// What matches and targets of xtables have in common: one kernel structure, known by name and revision.
///
/// A conforming type is one file with its facets in this order: the typed value; its syntax (`options`, `init(parsing:)`,
/// `print`, `list`); its kernel bytes (`encode`, `init(decoding:)`); its nf_tables form; its meaning for a packet.
public protocol Extension: Hashable, Sendable {
  /// Name, families, options and the places where the kernel takes it.
  static var definition: ExtensionDefinition { get }

  /// The name in rules text, `-m NAME`.
  var name: String { get }

  /// The name in the kernel; it differs where one structure has two spellings (`state` is `conntrack` there).
  var kernelName: String { get }

  /// Makes the value from the options that stood in a rule.
  /// - Throws: ``SyntaxError`` with the place in the line, when an option is missing or cannot be.
  init(parsing options: OptionValues) throws(SyntaxError)

  /// Writes the options as iptables-save does, each with a blank before it.
  func print(to out: inout RuleWriter)

  /// Writes what `iptables -L` shows of it in the last column, each word with a blank before it. With
  /// ``RuleWriter/isNumeric`` numbers stand where there are names.
  func list(to out: inout RuleWriter)

  /// Hooks from which a packet may reach this value; the definition's, where not its options make them fewer.
  var hooks: HookSet { get }

  /// Tables where the kernel takes this value; the definition's, where not its options make them fewer.
  var tables: Set<TableName>? { get }

  /// What the kernel does not take about the rule that holds this value, and what to write instead; nil where it takes
  /// the rule. Asked only where the definition says ``ExtensionDefinition/checksRule``.
  func objection(to rule: Rule) -> (message: String, hint: String?)?

  /// The revision of the structure that ``encode(to:family:)`` writes.
  func revision(for family: Family) -> UInt8

  /// Writes the kernel structure, without the header that names it and without alignment padding after it.
  func encode(to out: inout ByteWriter, family: Family)

  /// Writes the structure of an earlier revision, for a kernel that does not have the one of ``revision(for:)``.
  /// - Returns: false, and nothing is written, where the value cannot be said in that revision.
  func encode(to out: inout ByteWriter, family: Family, earlier revision: UInt8) -> Bool

  /// Reads the kernel structure. What an earlier revision said is read as the value that means the same now.
  /// - Throws: ``WireError`` when a field ends early or holds what it cannot hold; the caller then keeps the
  ///   bytes as they came.
  init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError)
}

extension Extension {
  public func revision(for family: Family) -> UInt8 { Self.definition.revisions.last! }

  public func encode(to out: inout ByteWriter, family: Family, earlier revision: UInt8) -> Bool { false }

  public func objection(to rule: Rule) -> (message: String, hint: String?)? { nil }

  public var hooks: HookSet { Self.definition.hooks }
  public var tables: Set<TableName>? { Self.definition.tables }
  public var kernelName: String { Self.definition.kernelName }
  public var name: String { Self.definition.name }
}

/// A condition on a packet, `-m name`.
public protocol Match: Extension {
  /// Whether a packet fulfils it, as the kernel would answer.
  func matches(_ packet: Packet) -> Answer
}

/// An action other than a verdict or a jump, `-j NAME`.
public protocol Target: Extension {
  /// What the kernel does with a packet that reaches it; `packet` is then as the target leaves it.
  func act(on packet: inout Packet) -> TargetOutcome
}

/// A match that is another spelling of one that means the same (`state` for `conntrack`).
public protocol AlternativeSpelling: Match {
  /// The other spelling.
  var canonical: any Match { get }
}

/// A target that is another spelling of one that means the same (`NOTRACK` for `CT --notrack`).
public protocol AlternativeTargetSpelling: Target {
  /// The other spelling.
  var canonical: any Target { get }
}
