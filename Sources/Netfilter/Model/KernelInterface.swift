/// By which of its interfaces a kernel gets rules. The structures of matches and targets are the same in both; which rules
/// they may stand in is not.
public enum KernelInterface: Hashable, Sendable {
  /// ip_tables and ip6_tables: a table is checked as one, and each value for every hook that reaches it
  /// (`mark_source_chains` and `xt_check_match`, net/ipv4/netfilter/ip_tables.c).
  case ipTables
  /// nf_tables with the structures of xtables (net/netfilter/nft_compat.c): which hooks reach an extension's kind is checked
  /// as there, but its value only for the hook of the base chain that it stands in, so in other chains for none.
  case nfTables
}

extension KernelInterface {
  /// Whether it takes the extension in the tables alone that it names.
  func limitsTables(of definition: ExtensionDefinition) -> Bool {
    self == .ipTables || !definition.isExpressionOfNFTables
  }

  /// Hooks of those that reach a chain from which the value may not be reached there.
  func refusedHooks(of part: any Extension, in chain: Chain, reachedFrom reached: HookSet) -> HookSet {
    let checked: HookSet =
      switch self {
      case .ipTables: reached
      case .nfTables: chain.hook.map { HookSet($0) } ?? []
      }
    let definition = type(of: part).definition
    return reached.subtracting(definition.hooks).union(checked.subtracting(part.hooks))
  }

  /// Whether it looks at the rule that an extension stands in (``Extension/objection(to:)``): nft_compat has no rule to
  /// show, and extensions pass over it (`nft_compat` of `struct xt_tgchk_param`).
  var showsRules: Bool { self == .ipTables }
}
