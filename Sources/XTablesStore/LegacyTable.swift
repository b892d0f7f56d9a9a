internal import CIPTables
internal import CLinux
internal import Glibc
internal import Netfilter
internal import RuleStore
internal import Synchronization

/// libiptc keeps the name of its last function in a static, for the texts of its errors: one lock is around all of it.
enum LibIPTC {
  static let lock = Mutex(())
}

/// A handle of libiptc on one table, for as long as it lives. Freeing it changes nothing; only ``commit()`` does.
///
/// Every call is made while ``LibIPTC/lock`` is held.
struct LegacyTable: ~Copyable {
  private let handle: OpaquePointer
  let id: TableID

  /// Reads the table from the kernel, which makes it if it does not exist yet. A missing module is loaded once; those of
  /// tables the kernel loads itself.
  init(opening id: TableID) throws(LibraryError) {
    self.id = id
    let first: LibraryError
    do throws(LibraryError) {
      handle = try Self.open(id)
      return
    } catch {
      first = error
    }
    guard first.code == ENOPROTOOPT || first.code == ENOENT,
      fb_load_module(id.family == .ipv4 ? "ip_tables" : "ip6_tables") == 0
    else { throw first }
    handle = try Self.open(id)
  }

  private static func open(_ id: TableID) throws(LibraryError) -> OpaquePointer {
    try check(.open, id.family) {
      switch id.family {
      case .ipv4: iptc_init(id.name.rawValue)
      case .ipv6: ip6tc_init(id.name.rawValue)
      }
    }
  }

  deinit {
    switch id.family {
    case .ipv4: iptc_free(handle)
    case .ipv6: ip6tc_free(handle)
    }
  }

  /// What libiptc was doing when it failed.
  enum Operation: Hashable, Sendable {
    case open
    case edit(ChainName)
    case commit
  }

  /// libiptc's error number and its own words for it.
  struct LibraryError: Error {
    let operation: Operation
    let code: Int32
    let reason: String
  }

  /// The one place where errno is read, on the instruction after the call.
  private static func check<T>(_ operation: Operation, _ family: Family, _ call: () -> T?) throws(LibraryError) -> T {
    if let value = call() { return value }
    let code = errno
    // Each half of libiptc remembers its own last function, on which the words depend.
    let reason = family == .ipv4 ? iptc_strerror(code) : ip6tc_strerror(code)
    throw LibraryError(operation: operation, code: code, reason: String(cString: reason!))
  }

  private func change(_ chain: ChainName, _ call: (UnsafePointer<CChar>) -> Int32) throws(LibraryError) {
    try Self.check(.edit(chain), id.family) { chain.text.withCString { call($0) } != 0 ? () : nil }
  }
}

// MARK: Reading

extension LegacyTable {
  /// The whole table.
  func read() throws(LibraryError) -> Table {
    var table = Table(id.name, family: id.family)
    var next = id.family == .ipv4 ? iptc_first_chain(handle) : ip6tc_first_chain(handle)
    while let label = next {
      let name = ChainName(unchecked: String(cString: label))
      if table.index(of: name) == nil { try? table.addChain(name) }
      if let index = table.index(of: name) {
        readPolicy(label, into: &table, at: index)
        table.withRules(of: index) { rules in readRules(label, into: &rules) }
      }
      next = id.family == .ipv4 ? iptc_next_chain(handle) : ip6tc_next_chain(handle)
    }
    return table
  }

  private func readPolicy(_ label: UnsafePointer<CChar>, into table: inout Table, at index: Int) {
    var counters = xt_counters()
    let policy =
      id.family == .ipv4
      ? iptc_get_policy(label, &counters, handle) : ip6tc_get_policy(label, &counters, handle)
    guard let policy, let value = Policy(label: String(cString: policy)) else { return }
    table.setPolicyUnchecked(value, at: index, counters: Counters(packets: counters.pcnt, bytes: counters.bcnt))
  }

  private func readRules(_ label: UnsafePointer<CChar>, into rules: inout RuleList) {
    switch id.family {
    case .ipv4:
      var next = iptc_first_rule(label, handle)
      while let entry = next {
        let bytes = UnsafeRawBufferPointer(start: entry, count: Int(entry.pointee.next_offset))
        rules.append(kernelEntry: bytes, label: iptc_get_target(entry, handle))
        next = iptc_next_rule(entry, handle)
      }
    case .ipv6:
      var next = ip6tc_first_rule(label, handle)
      while let entry = next {
        let bytes = UnsafeRawBufferPointer(start: entry, count: Int(entry.pointee.next_offset))
        rules.append(kernelEntry: bytes, label: ip6tc_get_target(entry, handle))
        next = ip6tc_next_rule(entry, handle)
      }
    }
  }
}

// MARK: Looking

extension LegacyTable {
  func contains(_ chain: ChainName) -> Bool {
    chain.text.withCString { id.family == .ipv4 ? iptc_is_chain($0, handle) : ip6tc_is_chain($0, handle) } != 0
  }

  func isBuiltIn(_ chain: ChainName) -> Bool {
    chain.text.withCString { id.family == .ipv4 ? iptc_builtin($0, handle) : ip6tc_builtin($0, handle) } == 1
  }

  /// The chains in libiptc's order: built-in ones by hook, then the others by name.
  func chainNames() -> [ChainName] {
    var names: [ChainName] = []
    var next = id.family == .ipv4 ? iptc_first_chain(handle) : ip6tc_first_chain(handle)
    while let label = next {
      names.append(ChainName(unchecked: String(cString: label)))
      next = id.family == .ipv4 ? iptc_next_chain(handle) : ip6tc_next_chain(handle)
    }
    return names
  }

  /// Prints the table as libiptc keeps it to standard output, for people who look for faults.
  func dump() {
    if id.family == .ipv4 { dump_entries(handle) } else { dump_entries6(handle) }
    fflush(nil)
  }

  /// The rules of one chain; none where there is no such chain.
  func rules(of chain: ChainName) -> RuleList {
    var rules = RuleList(family: id.family)
    chain.text.withCString { readRules($0, into: &rules) }
    return rules
  }
}

// MARK: Editing

extension LegacyTable {
  func append(_ entry: UnsafeRawPointer, to chain: ChainName) throws(LibraryError) {
    try change(chain) { label in
      switch id.family {
      case .ipv4: iptc_append_entry(label, entry.assumingMemoryBound(to: ipt_entry.self), handle)
      case .ipv6: ip6tc_append_entry(label, entry.assumingMemoryBound(to: ip6t_entry.self), handle)
      }
    }
  }

  /// - Parameter place: from 0.
  func insert(_ entry: UnsafeRawPointer, at place: Int, of chain: ChainName) throws(LibraryError) {
    try change(chain) { label in
      switch id.family {
      case .ipv4: iptc_insert_entry(label, entry.assumingMemoryBound(to: ipt_entry.self), UInt32(place), handle)
      case .ipv6: ip6tc_insert_entry(label, entry.assumingMemoryBound(to: ip6t_entry.self), UInt32(place), handle)
      }
    }
  }

  /// - Parameter place: from 0.
  func replaceRule(at place: Int, of chain: ChainName, with entry: UnsafeRawPointer) throws(LibraryError) {
    try change(chain) { label in
      switch id.family {
      case .ipv4: iptc_replace_entry(label, entry.assumingMemoryBound(to: ipt_entry.self), UInt32(place), handle)
      case .ipv6: ip6tc_replace_entry(label, entry.assumingMemoryBound(to: ip6t_entry.self), UInt32(place), handle)
      }
    }
  }

  /// - Parameter place: from 0.
  func deleteRule(at place: Int, of chain: ChainName) throws(LibraryError) {
    try change(chain) { label in
      id.family == .ipv4
        ? iptc_delete_num_entry(label, UInt32(place), handle) : ip6tc_delete_num_entry(label, UInt32(place), handle)
    }
  }

  func flush(_ chain: ChainName) throws(LibraryError) {
    try change(chain) { id.family == .ipv4 ? iptc_flush_entries($0, handle) : ip6tc_flush_entries($0, handle) }
  }

  func create(_ chain: ChainName) throws(LibraryError) {
    try change(chain) { id.family == .ipv4 ? iptc_create_chain($0, handle) : ip6tc_create_chain($0, handle) }
  }

  func delete(_ chain: ChainName) throws(LibraryError) {
    try change(chain) { id.family == .ipv4 ? iptc_delete_chain($0, handle) : ip6tc_delete_chain($0, handle) }
  }

  func rename(_ chain: ChainName, to new: ChainName) throws(LibraryError) {
    try change(chain) { old in
      new.text.withCString { new in
        id.family == .ipv4 ? iptc_rename_chain(old, new, handle) : ip6tc_rename_chain(old, new, handle)
      }
    }
  }

  /// Sets the counters of all rules of a chain to zero.
  func zero(_ chain: ChainName) throws(LibraryError) {
    try change(chain) { id.family == .ipv4 ? iptc_zero_entries($0, handle) : ip6tc_zero_entries($0, handle) }
  }

  /// Sets the counters of one rule to zero.
  /// - Parameter number: from 1.
  func zeroRule(_ number: Int, of chain: ChainName) throws(LibraryError) {
    try change(chain) { label in
      id.family == .ipv4
        ? iptc_zero_counter(label, UInt32(number), handle) : ip6tc_zero_counter(label, UInt32(number), handle)
    }
  }

  func setPolicy(_ policy: Policy, of chain: ChainName, counters: Counters) throws(LibraryError) {
    try setPolicy("\(policy.verdict.label)", of: chain, counters: counters)
  }

  /// - Parameters:
  ///   - policy: a verdict's label; libiptc refuses all but ACCEPT and DROP.
  ///   - counters: nil keeps those that the policy has.
  func setPolicy(_ policy: String, of chain: ChainName, counters: Counters?) throws(LibraryError) {
    try change(chain) { label in
      policy.withCString { policy in
        guard let counters else {
          return id.family == .ipv4
            ? iptc_set_policy(label, policy, nil, handle) : ip6tc_set_policy(label, policy, nil, handle)
        }
        var given = xt_counters(pcnt: counters.packets, bcnt: counters.bytes)
        return id.family == .ipv4
          ? iptc_set_policy(label, policy, &given, handle) : ip6tc_set_policy(label, policy, &given, handle)
      }
    }
  }

  /// Gives the kernel the table as it was edited. The kernel takes all of it or nothing; the handle has had its use then.
  func commit() throws(LibraryError) {
    try Self.check(.commit, id.family) {
      (id.family == .ipv4 ? iptc_commit(handle) : ip6tc_commit(handle)) != 0 ? () : nil
    }
  }
}
