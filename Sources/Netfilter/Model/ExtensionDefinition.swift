/// What is fixed about an extension: how it is spelled, which structures the kernel has for it, where it may stand.
public final class ExtensionDefinition: Sendable {
  /// The name in rules text.
  public let name: String
  /// The name in the kernel, the same one in most cases.
  public let kernelName: String
  /// One line for the help.
  public let summary: String
  public let families: Set<Family>
  /// The revisions that this version reads; the last one is written unless the value says otherwise.
  public let revisions: [UInt8]
  public let options: [OptionSpec]
  /// Protocols the rule has to name with `-p`; nil for any.
  public let protocols: [IPProtocol]?
  /// Tables where the kernel takes it; nil for any.
  public let tables: Set<TableName>?
  /// Hooks from which a packet may reach it.
  public let hooks: HookSet
  /// Whether nf_tables says it by an expression of its own, which may stand in any table.
  public let isExpressionOfNFTables: Bool
  /// Whether options make ``Extension/hooks`` of a value fewer than ``hooks``, or ``Extension/tables`` than ``tables``.
  public let narrowsHooks: Bool
  /// Whether ``Extension/objection(to:)`` of a value is asked about its rule.
  public let checksRule: Bool
  /// Other names it answers to in text.
  public let aliases: [String]
  /// What the help tells beside the options, the names of message types for instance; several lines.
  public let details: (@Sendable () -> String)?

  package init(
    _ name: String, kernelName: String? = nil, summary: String, families: Set<Family> = [.ipv4, .ipv6],
    revisions: [UInt8] = [0], protocols: [IPProtocol]? = nil, tables: Set<TableName>? = nil,
    hooks: HookSet = .all, isExpressionOfNFTables: Bool = false, narrowsHooks: Bool = false, checksRule: Bool = false,
    aliases: [String] = [], details: (@Sendable () -> String)? = nil, options: [OptionSpec] = []
  ) {
    self.name = name
    self.kernelName = kernelName ?? name
    self.summary = summary
    self.families = families
    self.revisions = revisions
    self.options = options
    self.protocols = protocols
    self.tables = tables
    self.hooks = hooks
    self.isExpressionOfNFTables = isExpressionOfNFTables
    self.narrowsHooks = narrowsHooks
    self.checksRule = checksRule
    self.aliases = aliases
    self.details = details
  }

  /// The place of the option with this name or alias.
  func optionIndex(named word: Token) -> Int? {
    for index in 0..<options.count where options[index].isNamed(word) { return index }
    return nil
  }
}
