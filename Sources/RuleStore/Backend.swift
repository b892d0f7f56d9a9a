public import Netfilter

/// One way into a kernel: what it can do, what it holds, and one act that changes it.
///
/// Calls are synchronous; each talks to the network namespace that the calling thread is in. Every backend passes the
/// same contract suite.
public protocol Backend: Sendable {
  var capabilities: Capabilities { get }

  /// Keeps other writers away until the returned lock is released.
  /// - Throws: ``BackendError`` of kind `busy` when somebody else holds it for longer than `limit`.
  func lock(waiting limit: Duration) throws(BackendError) -> any WriteLock

  /// Reads what the kernel holds. Tables that do not exist are not made by reading.
  /// - Parameter selection: the tables to read; the others are only listed as existing or not.
  func snapshot(of selection: TableSelection) throws(BackendError) -> Snapshot

  /// The same for planning: the counters of rules may be those of an earlier time. A backend that remembers rules need not
  /// read them again then; before a plan is carried out, ``fitted(_:)`` puts in the present counters of those that go.
  func outline(of selection: TableSelection) throws(BackendError) -> Snapshot

  /// The same plan in the forms that this kernel takes. Asked before anything is tried or written down.
  /// - Throws: ``BackendError`` of kind `unsupported`, naming the rule, when the kernel has an extension only in a revision
  ///   that cannot say what the rule says; `stale` when the plan was made from an outline and needs a snapshot.
  func fitted(_ plan: Plan) throws(BackendError) -> Plan

  /// Tries what ``apply(_:expecting:)`` will do, without touching anything live.
  /// - Returns: why nothing could be tried, where this machine does not allow it; nil when all went well.
  /// - Throws: ``BackendError`` of kind `refused`, naming the rule, when the kernel would refuse it.
  func rehearse(_ plan: Plan, _ extent: RehearsalExtent) throws(BackendError) -> String?

  /// Makes ready what carries out a plan, as far as that can be done beforehand. It changes nothing, and may be called on
  /// another thread while a commit is written down.
  /// - Parameter stamp: of the snapshot from which the plan was made.
  /// - Throws: what ``apply(_:expecting:)`` throws.
  func prepared(_ plan: Plan, expecting stamp: Snapshot.Stamp) throws(BackendError) -> any PreparedPlan

  /// Carries out a plan: all of it, or nothing.
  /// - Parameter stamp: of the snapshot from which the plan was made.
  /// - Throws: ``BackendError``: `stale` when the kernel's rules are no longer those of the snapshot; `refused` when the
  ///   kernel takes something not; in both cases nothing has changed. `putBackFailed` alone means that the kernel holds
  ///   a mixture, `unknown` alone that it holds the old rules or the new ones.
  func apply(_ plan: Plan, expecting stamp: Snapshot.Stamp) throws(BackendError)
}

extension Backend {
  public func outline(of selection: TableSelection) throws(BackendError) -> Snapshot { try snapshot(of: selection) }

  public func fitted(_ plan: Plan) throws(BackendError) -> Plan { plan }

  public func prepared(_ plan: Plan, expecting stamp: Snapshot.Stamp) throws(BackendError) -> any PreparedPlan {
    PlanToApply(backend: self, plan: plan, stamp: stamp)
  }
}

/// A plan that is ready to be carried out, once.
public protocol PreparedPlan {
  /// See ``Backend/apply(_:expecting:)``.
  func carryOut() throws(BackendError)
}

/// A plan of a backend that makes nothing ready.
private struct PlanToApply: PreparedPlan {
  let backend: any Backend
  let plan: Plan
  let stamp: Snapshot.Stamp

  func carryOut() throws(BackendError) { try backend.apply(plan, expecting: stamp) }
}

/// How much of a plan to rehearse.
public enum RehearsalExtent: Hashable, Sendable {
  /// What the kernel could still refuse after something live has changed.
  case needed
  /// Everything.
  case full
}

/// Holds other writers off for as long as it lives, or until released.
public protocol WriteLock: AnyObject, Sendable {
  func release()
}

/// What a backend is and can.
public struct Capabilities: Hashable, Sendable {
  /// For messages and `--backend`: `legacy`, `nft`, `memory`.
  public let name: String
  public let families: Set<Family>
  /// Whether one kernel call covers all tables and families.
  public let isOneTransaction: Bool
  /// Whose rules it takes.
  public let interface: KernelInterface

  public init(name: String, families: Set<Family>, isOneTransaction: Bool, interface: KernelInterface = .ipTables) {
    self.name = name
    self.families = families
    self.isOneTransaction = isOneTransaction
    self.interface = interface
  }
}

/// Which tables a snapshot is to read.
public enum TableSelection: Hashable, Sendable {
  case all
  case only(Set<TableID>)

  public func contains(_ id: TableID) -> Bool {
    switch self {
    case .all: true
    case .only(let set): set.contains(id)
    }
  }
}

/// A table by name and family.
public struct TableID: Hashable, Sendable, Comparable, CustomStringConvertible {
  public let name: TableName
  public let family: Family

  public init(_ name: TableName, _ family: Family) {
    self.name = name
    self.family = family
  }

  public static func < (a: TableID, b: TableID) -> Bool { (a.family, a.name) < (b.family, b.name) }

  /// `IPv4 filter`
  public var description: String { "\(family) \(name)" }
}

extension Table {
  public var id: TableID { TableID(name, family) }
}

extension Ruleset {
  public subscript(id: TableID) -> Table? {
    get { self[id.name, id.family] }
    set { self[id.name, id.family] = newValue }
  }
}
