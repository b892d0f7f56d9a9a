internal import Firebreak

/// A table of the kernel on which commands are carried out; in ip_tables it is locked against other writers.
final class LiveTable {
  let table: any CommandTable
  private let lock: (any WriteLock)?
  private let interface: KernelInterface

  /// How long to wait for the lock where `-w` does not say. iptables(8) says that it then gives up at once; iptables 1.8.9
  /// waits for ever.
  static let standardWait = Duration.seconds(10)

  private static let forEver = Duration.seconds(1 << 40)

  /// - Parameters:
  ///   - wait: seconds, `.some(nil)` for ever, nil where it was not said. nf_tables has no lock.
  ///   - depth: what has to be known of the table.
  init(_ id: TableID, wait: Int??, _ depth: EditedTable.Depth, _ tool: Tool) throws(ToolFailure) {
    interface = tool.interface
    switch interface {
    case .nfTables:
      lock = nil
      do throws(BackendError) {
        table = try EditedTable(id, tool.interface.backend, depth)
      } catch {
        throw ToolFailure(reading: error)
      }
      return
    case .ipTables: break
    }
    let limit: Duration =
      switch wait {
      case nil: Self.standardWait
      case .some(nil): Self.forEver
      case .some(.some(let seconds)): .seconds(seconds)
      }
    do throws(BackendError) {
      lock = try XTablesBackend().lock(waiting: limit)
    } catch {
      throw ToolFailure(lock: error)
    }
    do throws(CommandRefusal) {
      table = try LegacyCommandTable(id)
    } catch {
      throw ToolFailure(opening: id.name.rawValue, tool, error)
    }
  }

  deinit { lock?.release() }

  func commit() throws(CommandRefusal) { try table.commit() }

  /// Carries a command out in memory; nothing changes in the kernel before ``commit()``.
  func perform(_ command: Command, showing output: inout ToolOutput) throws(CommandRefusal) {
    try carryOut(command, &output)
    if command.display.verbosity > 1 {
      output.flush()
      table.dump()
    }
  }

  private func carryOut(_ command: Command, _ output: inout ToolOutput) throws(CommandRefusal) {
    let chain = command.chain.map { ChainName(unchecked: $0.string) }
    let isVerbose = command.display.verbosity > 0
    switch command.operation {
    case .append, .insert, .replace, .delete, .check:
      try performOnRules(command, chain!, isVerbose, &output)
    case .deleteNumber(let number): try table.delete(number, from: chain!)
    case .flush: try flush(chain, isVerbose, &output)
    case .zero: try zero(chain, isVerbose, &output)
    case .zeroNumber(let number): try table.zero(number, of: chain!)
    case .newChain: try table.create(chain!)
    case .deleteChain: try delete(chain, isVerbose, &output)
    case .rename: try table.rename(chain!, to: ChainName(unchecked: command.argument!.string))
    case .policy:
      try table.setPolicy(command.argument!.string, of: chain!, counters: command.hasCounters ? command.counters : nil)
    case .list(let number):
      try list(chain, number, command.display, &output)
      if command.zeroesToo { try zero(chain, isVerbose, &output) }
    case .listRules(let number):
      try listRules(chain, number, isVerbose, &output)
      if command.zeroesToo { try zero(chain, isVerbose, &output) }
    case .help, .version: break
    }
  }

  private func performOnRules(
    _ command: Command, _ chain: ChainName, _ isVerbose: Bool, _ output: inout ToolOutput
  ) throws(CommandRefusal) {
    for rule in command.rules {
      if isVerbose {
        var line = ListText(family: table.id.family, names: .system, display: command.display, for: interface)
        line.printCommandRule(rule)
        output.print(bytes: line.bytes)
      }
      switch command.operation {
      case .append: try table.append(rule, to: chain)
      case .insert(let number): try table.insert(rule, at: number, of: chain)
      case .replace(let number): try table.replace(number, of: chain, with: rule)
      case .delete: try table.delete(rule, from: chain)
      default: try table.check(rule, in: chain)
      }
    }
  }

  // MARK: Chains

  /// Says what is done to one chain, or to all of a kind.
  private func tell(
    _ doing: String, _ chain: ChainName?, _ isVerbose: Bool, _ output: inout ToolOutput,
    _ isMeant: (ChainName) -> Bool = { _ in true }
  ) {
    guard isVerbose else { return }
    for name in chain.map({ [$0] }) ?? table.chainNames.filter(isMeant) { output.print("\(doing) chain `\(name)'\n") }
  }

  /// Takes all out as a restore does before it begins.
  func clear(_ isVerbose: Bool, _ output: inout ToolOutput) throws(CommandRefusal) {
    tell("Flushing", nil, isVerbose, &output)
    tell("Deleting", nil, isVerbose, &output) { !table.isBuiltIn($0) }
    try table.clear()
  }

  private func flush(_ chain: ChainName?, _ isVerbose: Bool, _ output: inout ToolOutput) throws(CommandRefusal) {
    tell("Flushing", chain, isVerbose, &output)
    try table.flush(chain)
  }

  private func delete(_ chain: ChainName?, _ isVerbose: Bool, _ output: inout ToolOutput) throws(CommandRefusal) {
    tell("Deleting", chain, isVerbose, &output) { !table.isBuiltIn($0) }
    try table.delete(chain)
  }

  private func zero(_ chain: ChainName?, _ isVerbose: Bool, _ output: inout ToolOutput) throws(CommandRefusal) {
    tell("Zeroing", chain, isVerbose, &output)
    try table.zero(chain)
  }

  // MARK: Listing

  /// - Parameter chain: that is asked for; nil for all.
  private func read(for chain: ChainName?, _ output: inout ToolOutput) throws(CommandRefusal) -> Table {
    let found = try table.read()
    if chain == nil, table.isIncomplete { output.print(found.incompletenessLine) }
    return found
  }

  /// The chains to list: one, or all.
  private func chains(_ chain: ChainName?, of table: Table) throws(CommandRefusal) -> [Chain] {
    guard let chain else { return table.chains }
    guard let found = table[chain] else { throw .noSuchChain }
    return [found]
  }

  private func list(_ chain: ChainName?, _ number: Int?, _ display: Command.Display, _ output: inout ToolOutput)
    throws(CommandRefusal)
  {
    let table = try read(for: chain, &output)
    let references = table.references
    var text = ListText(family: table.family, names: .system, display: display, for: interface)
    for (place, chain) in try chains(chain, of: table).enumerated() {
      if place > 0 { text.separate() }
      text.print(chain, references: references[chain.name] ?? 0, number: number)
    }
    output.print(bytes: text.bytes)
  }

  private func listRules(_ chain: ChainName?, _ number: Int?, _ showsCounters: Bool, _ output: inout ToolOutput)
    throws(CommandRefusal)
  {
    let table = try read(for: chain, &output)
    let chains = try chains(chain, of: table)
    var text = RuleCommandsText(family: table.family, names: .system, showsCounters: showsCounters)
    if number == nil { for chain in chains { text.printHead(chain) } }
    for chain in chains { text.printRules(chain, number: number) }
    output.print(bytes: text.bytes)
  }
}

extension Table {
  /// What iptables-nft says of a table that has base chains which it does not know.
  var incompletenessLine: String {
    "# Table `\(name)' contains incompatible base-chains, use 'nft' tool to list them.\n"
  }
}
