internal import CLinux
internal import Glibc
public import Netfilter
internal import NFTablesStore
public import RuleStore
internal import XTablesStore

/// A copy of the live rules and sets of the calling thread's network namespace, in a namespace of its own, where they can be
/// worked on; and what was done to them there.
public final class StagedKernel {
  let space: StagingNamespace
  private let live: Reading
  private let start: Reading
  private let began = BootTime.now
  /// Why the tables of iptables-nft are not among the copied; nil when they are.
  let missingNFTables: String?
  /// Why other tables of nf_tables are not; nil when they are.
  let missingNatives: String?

  /// Rules by backend name, in the numbers that the live sets have, and sets.
  private struct Reading {
    var rules: [String: Ruleset] = [:]
    var sets: [SetImage] = []
    /// Tables of nf_tables that are none of iptables.
    var natives: [RulesetImage.Table] = []
  }

  private static let backends = ["legacy", "nft"]

  /// - Parameter limit: how long to wait for the lock that iptables takes.
  public init(lockWait limit: Duration) throws {
    var (live, missing) = try Self.readLive(limit)
    let space = try StagingNamespace()
    let sets = live.sets
    let numbers = try Self.numbers(of: live.rules.values.reduce(into: Set<UInt16>()) { $0.formUnion($1.setIndices) })
    let rules = live.rules
    var natives: String?
    var handles: [RulesetImage.ID: TableHandles] = [:]
    do throws(BackendError) { (live.natives, handles) = try Self.natives() } catch { natives = error.message }
    let image = RulesetImage(generation: 0, tables: live.natives)
    let interfaces = image.tables.isEmpty ? nil : StagedInterfaces()
    (missing, natives) = try space.enter {
      try Self.make(sets)
      var natives = natives
      if !image.tables.isEmpty {
        interfaces?.stand()
        do throws(BackendError) { try Self.copy(image, handles) } catch { natives = error.message }
      }
      return (try Self.load(rules, numbers) ?? missing, natives)
    }
    if missing != nil { live.rules["nft"] = nil }
    missingNatives = missing ?? natives
    self.live = live
    self.space = space
    missingNFTables = missing
    start = try Self.read(space, hasNFTables: missing == nil)
  }

  // MARK: Copying

  private static func readLive(_ limit: Duration) throws -> (Reading, missing: String?) {
    var reading = Reading()
    do throws(KernelSets.Refusal) { reading.sets = try SetImage.all() } catch {
      throw StagingFailure("the sets (ipset) cannot be read: \(error.reason)")
    }
    let legacy = XTablesBackend(names: .system)
    let lock = try legacy.lock(waiting: limit)
    defer { lock.release() }
    reading.rules["legacy"] = try legacy.snapshot(of: .all).inOrderOfMaking
    let nft = NFTablesBackend(names: .system)
    guard nft.isAvailable else { return (reading, "this kernel has no nf_tables") }
    do throws(BackendError) {
      reading.rules["nft"] = try nft.snapshot(of: .all).inOrderOfMaking
      return (reading, nil)
    } catch {
      return (reading, error.message)
    }
  }

  /// Without those that belong to a process of their own: no other can change them, nor could a script.
  private static func natives() throws(BackendError) -> (
    tables: [RulesetImage.Table], handles: [RulesetImage.ID: TableHandles]
  ) {
    guard NFTablesBackend().isAvailable else { return ([], [:]) }
    let reading = try RulesetImage.readBesideIPTables()
    return (reading.image.tables, reading.handles)
  }

  /// A script may know rules by their numbers.
  private static func copy(
    _ image: RulesetImage, _ handles: [RulesetImage.ID: TableHandles]
  ) throws(BackendError) {
    var options = RestoreOptions()
    options.handles = handles
    do throws(BackendError) { try image.restore(options) } catch { try image.restore() }
  }

  private static func make(_ sets: [SetImage]) throws {
    for set in sets {
      do throws(KernelSets.Refusal) {
        try set.create()
        try set.add(set.entries)
      } catch {
        throw StagingFailure("set '\(set.name)' cannot be copied: \(error.reason)")
      }
    }
  }

  /// Names of sets by their numbers here.
  private static func numbers(of used: Set<UInt16>) throws -> [UInt16: String] {
    var names: [UInt16: String] = [:]
    for number in used {
      do throws(KernelSets.Refusal) { names[number] = try KernelSets.name(number) } catch {
        throw StagingFailure("the sets (ipset) that rules look into cannot be asked for: \(error.reason)")
      }
    }
    return names
  }

  /// - Returns: why nf_tables' rules could not be copied.
  private static func load(_ rules: [String: Ruleset], _ sets: [UInt16: String]) throws -> String? {
    var options = RuleStore.CommitOptions()
    options.counters = .wanted
    options.rehearses = false
    for name in backends {
      guard let ruleset = rules[name], !ruleset.isEmpty else { continue }
      let here = Ruleset(
        ruleset.tables.map { table in table.renumberingSets { sets[$0].flatMap { try? KernelSets.find($0)?.index } } })
      let lock = "/proc/thread-self/ns/net"  // a lock of this namespace's own, in no folder
      let backend: any Backend =
        name == "legacy" ? XTablesBackend(lockPath: lock, names: .system) : NFTablesBackend(names: .system)
      do {
        _ = try RuleStore(backend).commit(here, options)
      } catch let error as BackendError {
        guard name == "nft" else { throw StagingFailure("the live rules cannot be copied: \(error.message)") }
        return error.message
      }
    }
    return nil
  }

  // MARK: Reading back

  /// With set names that are not live given numbers of ``IPSetDirectory/imagined``.
  private static func read(_ space: StagingNamespace, hasNFTables: Bool) throws -> Reading {
    var (reading, names) = try space.enter {
      var reading = Reading()
      do throws(KernelSets.Refusal) { reading.sets = try SetImage.all() } catch {
        throw StagingFailure("the sets of the copy cannot be read: \(error.reason)")
      }
      reading.rules["legacy"] = try XTablesBackend(names: .system).snapshot(of: .all).inOrderOfMaking
      if hasNFTables {
        reading.rules["nft"] = try NFTablesBackend(names: .system).snapshot(of: .all).inOrderOfMaking
      }
      reading.natives = try natives().tables
      return (
        reading, try numbers(of: reading.rules.values.reduce(into: Set<UInt16>()) { $0.formUnion($1.setIndices) })
      )
    }
    let live = names.mapValues { name -> UInt16 in
      guard case .found(let index, _) = IPSetDirectory.system.find(name) else {
        guard case .found(let index, _) = IPSetDirectory.imagined.find(name) else { return .max }
        return index
      }
      return index
    }
    for (backend, ruleset) in reading.rules {
      reading.rules[backend] = Ruleset(ruleset.tables.map { table in table.renumberingSets { live[$0] } })
    }
    return reading
  }

  // MARK: What was done

  /// What was done in the copy.
  public struct Changes {
    /// The tables that are other ones now, by the name of their backend.
    public let rules: [String: Ruleset]
    /// Every live table of these backends when it was copied.
    public let copied: [String: Ruleset]
    /// What was done to sets and to tables of nf_tables that are none of iptables'.
    public let companions: [CompanionChange]
  }

  public func changes() throws -> Changes {
    let end = try Self.read(space, hasNFTables: missingNFTables == nil)
    let seconds = Int((BootTime.now - began).components.seconds)
    let sets = SetChanges.between(start.sets, end.sets, after: seconds)
    var rules: [String: Ruleset] = [:]
    for (backend, ruleset) in end.rules {
      let before = start.rules[backend] ?? Ruleset()
      var touched = Ruleset()
      for table in ruleset.tables where before[table.id].map({ !$0.sameRules(as: table) }) ?? true {
        touched[table.id] = table
      }
      for table in before.tables where ruleset[table.id] == nil && !table.isPristine {
        touched[table.id] = Table(table.name, family: table.family)
      }
      if !touched.isEmpty { rules[backend] = touched }
    }
    return Changes(rules: rules, copied: live.rules, companions: sets + tableChanges(end.natives, after: seconds))
  }

  /// The tables that are other ones now, each as the live one was when it was copied, and as it is in the copy. Elements
  /// that have run out there are in it.
  /// - Parameter seconds: since it was copied.
  private func tableChanges(_ end: [RulesetImage.Table], after seconds: Int) -> [CompanionChange] {
    let time = Duration.seconds(seconds + SetChanges.slack)
    func find(_ id: RulesetImage.ID, in tables: [RulesetImage.Table]) -> RulesetImage.Table? {
      tables.first { $0.id == id }
    }
    let changed = end.filter { table in
      find(table.id, in: start.natives).map { !$0.isSame(as: table.regaining($0, after: time)) } ?? true
    }
    let removed = start.natives.filter { find($0.id, in: end) == nil }
    return (changed + removed).map { table in
      let before = find(table.id, in: live.natives)
      let after = find(table.id, in: end)?.regaining(before, after: time)
      return CompanionChange(table.companion, before: before?.content, after: after?.content)
    }
  }
}

extension Snapshot {
  /// The kernel lists the table made last first.
  fileprivate var inOrderOfMaking: Ruleset { Ruleset(ruleset.tables.reversed()) }
}

extension Ruleset {
  fileprivate var setIndices: Set<UInt16> { tables.reduce(into: []) { $0.formUnion($1.setIndices) } }
}
