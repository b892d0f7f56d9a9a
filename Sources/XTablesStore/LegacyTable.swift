internal import CIPTables
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

  /// Reads the table from the kernel, which makes it if it does not exist yet.
  init(opening id: TableID) throws(LibraryError) {
    self.id = id
    handle = try Self.check(.open) {
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
  private static func check<T>(_ operation: Operation, _ call: () -> T?) throws(LibraryError) -> T {
    if let value = call() { return value }
    let code = errno
    throw LibraryError(operation: operation, code: code, reason: String(cString: iptc_strerror(code)))
  }

  private func change(_ chain: ChainName, _ call: (UnsafePointer<CChar>) -> Int32) throws(LibraryError) {
    try Self.check(.edit(chain)) { chain.text.withCString { call($0) } != 0 ? () : nil }
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

  func setPolicy(_ policy: Policy, of chain: ChainName, counters: Counters) throws(LibraryError) {
    var counters = xt_counters(pcnt: counters.packets, bcnt: counters.bytes)
    try change(chain) { label in
      "\(policy.verdict.label)".withCString { policy in
        id.family == .ipv4
          ? iptc_set_policy(label, policy, &counters, handle) : ip6tc_set_policy(label, policy, &counters, handle)
      }
    }
  }

  /// Gives the kernel the table as it was edited. The kernel takes all of it or nothing.
  consuming func commit() throws(LibraryError) {
    try Self.check(.commit) {
      (id.family == .ipv4 ? iptc_commit(handle) : ip6tc_commit(handle)) != 0 ? () : nil
    }
  }
}
