internal import Glibc
internal import Netfilter
internal import RuleStore

/// Reads and replaces a table without libiptc, in the kernel's own layout.
///
/// libiptc copies every rule into memory of its own, twice, and keeps the old table beside the new one; from some hundred
/// rules on that costs more than the kernel's work. Both ways give the kernel the same bytes. This one also hands on
/// the counters of every rule that stays or moves exactly as they are at the moment of the change.
enum BulkTable {
  /// Tables with more entries than this are read and replaced here.
  static let threshold = 256

  /// The table, and its chains in the order in which the kernel holds them.
  static func read(_ id: TableID) throws(Problem) -> (table: Table, order: [ChainName]) {
    try failing { () throws(TableSocket.Failure) in
      let socket = try TableSocket(id)
      let info = try socket.info()
      let image = try socket.entries(info)
      let entries = UnsafeRawBufferPointer(rebasing: image.bytes[TableInfo.entriesOffset...])
      let start = image.bytes.baseAddress!
      let reader = TableImageReader(id, info, entries) { PageMemory.discard(start, upTo: TableInfo.entriesOffset + $0) }
      return Result { () throws(WireError) in try reader.read() }
    }.mapError { Problem.image($0) }.get()
  }

  enum Problem: Error {
    case socket(TableSocket.Failure)
    case image(WireError)
  }

  private static func failing<R>(_ body: () throws(TableSocket.Failure) -> R) throws(Problem) -> R {
    do throws(TableSocket.Failure) {
      return try body()
    } catch {
      throw .socket(error)
    }
  }

  /// How many entries the table has now; the kernel makes it when it does not exist.
  static func entryCount(_ id: TableID) throws(Problem) -> Int {
    try failing { () throws(TableSocket.Failure) in
      let socket = try TableSocket(id)
      return try socket.info().entryCount
    }
  }

  /// Replaces a table.
  /// - Parameters:
  ///   - before: what it holds, whose rules' counters `after` has.
  ///   - order: the chains of `before` in the kernel's order.
  ///   - handsOn: whether rules that stay go on counting from where the kernel's are; else the counters of `after` are
  ///     written as they are.
  static func replace(_ before: Table, order: [ChainName], with after: Table, handsOn: Bool = true) throws(Problem) {
    let old = EntryPlaces(before, order)
    try failing { () throws(TableSocket.Failure) in
      let socket = try TableSocket(after.id)
      let info = try socket.info()
      guard info.entryCount == old.entryCount, info.byteCount == TableImage.byteCount(of: before) else {
        throw TableSocket.Failure(operation: .replace, code: EAGAIN)  // somebody else has changed it
      }
      let image = TableImageWriter(after)
      let counted = try socket.replace(image.memory, oldCount: old.entryCount)
      let counters = handsOn ? handOn(counted, old, from: before, to: after) : given(after)
      if counters.contains(where: { $0 != .zero }) { try socket.add(counters) }
    }
  }

  /// The counters of every entry of a table as they stand there.
  private static func given(_ table: Table) -> [Counters] {
    var result: [Counters] = []
    for chain in table.chains {
      if chain.hook == nil { result.append(.zero) }
      for index in chain.rules.indices { result.append(chain.rules.counters(of: index)) }
      result.append(chain.policyCounters)
    }
    return result + [.zero]
  }

  /// The counters of every entry of the new table. What an old entry counted between reading and replacing is added to
  /// what its successor was given.
  private static func handOn(_ counted: [Counters], _ old: EntryPlaces, from before: Table, to after: Table)
    -> [Counters]
  {
    var result: [Counters] = []
    func now(_ given: Counters, _ read: Counters, _ entry: Int) -> Counters {
      let swap = counted[entry]
      return Counters(
        packets: given.packets &+ (swap.packets &- read.packets), bytes: given.bytes &+ (swap.bytes &- read.bytes))
    }
    for chain in after.chains {
      if chain.hook == nil { result.append(.zero) }
      let place = old.firstEntry[chain.name]
      let source = before[chain.name]
      if let place, let source {
        for (index, from) in RulePairing(source.rules, chain.rules).sources.enumerated() {
          let given = chain.rules.counters(of: index)
          result.append(from.map { now(given, source.rules.counters(of: $0), place + $0) } ?? given)
        }
      } else {
        for index in chain.rules.indices { result.append(chain.rules.counters(of: index)) }
      }
      if let place, let source, let policy = chain.policy, source.policy == policy {
        result.append(now(chain.policyCounters, source.policyCounters, place + source.rules.count))
      } else {
        result.append(chain.policyCounters)
      }
    }
    result.append(.zero)
    return result
  }
}

/// Where the entries of a table stand in the kernel's numbering.
private struct EntryPlaces {
  /// For each chain the number of its first rule's entry.
  private(set) var firstEntry: [ChainName: Int] = [:]
  private(set) var entryCount = 0

  init(_ table: Table, _ order: [ChainName]) {
    for name in order {
      guard let chain = table[name] else { continue }
      if chain.hook == nil { entryCount += 1 }
      firstEntry[name] = entryCount
      entryCount += chain.rules.count + 1
    }
    entryCount += 1
  }
}
