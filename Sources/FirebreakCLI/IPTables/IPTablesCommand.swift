internal import Firebreak

/// `iptables` and `ip6tables`: one command on one table, as iptables(8) says.
struct IPTablesCommand {
  private let tool: Tool

  init(_ tool: Tool) { self.tool = tool }

  func run(_ words: ArraySlice<Token>, _ output: inout ToolOutput) throws(ToolFailure) -> ToolStatus {
    var parser = CommandParser(
      family: tool.family, names: .system, registry: .standard, for: tool.interface, isRestore: false)
    parser.leavesPlacesToKernel = true
    guard let command = try read(&parser, Array(words)) else {
      throw ToolFailure(.usage, .version, "these rules are \(tool.family) rules; -4 and -6 exclude each other")
    }
    switch command.operation {
    case .version:
      output.print(tool.versionLine + "\n")
      return .done
    case .help:
      output.print(IPTablesHelp(tool).text(command.helpSubjects))
      return .done
    default: break
    }
    if let table = command.unknownTable {
      throw ToolFailure(
        opening: table, tool, .init(code: 0, reason: "Table does not exist (do you need to insmod?)"))
    }
    let live = try LiveTable(
      TableID(command.table, tool.family), wait: command.wait, command.operation.depth, tool)
    if let error = parser.jumpProblem(command, { live.table.contains($0) }) { throw ToolFailure(error, tool) }
    do throws(CommandRefusal) {
      try live.perform(command, showing: &output)
      try live.commit()
    } catch {
      throw ToolFailure(error, because: command.objection)
    }
    return .done
  }

  private func read(_ parser: inout CommandParser, _ words: [Token]) throws(ToolFailure) -> Command? {
    do throws(SyntaxError) {
      let command = try parser.parse(words, table: .filter, chains: AnyChain())
      if let command, command.operation == .newChain { _ = try parser.newChainName(command.chain!) }
      return command
    } catch {
      throw ToolFailure(error, tool)
    }
  }
}

extension Command.Operation {
  /// What has to be known of the table to carry it out.
  fileprivate var depth: EditedTable.Depth {
    switch self {
    case .append, .insert(1), .newChain, .rename, .policy, .help, .version: .chains
    case .insert, .replace, .delete, .deleteNumber, .check, .deleteChain: .rules
    case .flush, .zero, .zeroNumber, .list, .listRules: .counters
    }
  }
}

/// Takes any name for a chain: whether it is one, the opened table says.
struct AnyChain: ChainLookup {
  func chain(named word: Token, in table: TableName) -> ChainName? { ChainName(unchecked: word.string) }
}
