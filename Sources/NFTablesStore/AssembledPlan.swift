internal import Glibc
internal import Netfilter
internal import RuleStore

/// A plan as the batch that carries it out, ready to be sent.
final class AssembledPlan: PreparedPlan {
  private let plan: Plan
  /// What is known of the tables before.
  private let reading: KernelReading
  private let compiler: PlanCompiler
  /// What tables are in compiled form afterwards.
  private let written: [TableID: CompiledTable.Written]
  private let sealed: SealedBatch
  private var socket: NetlinkSocket?
  private let backend: NFTablesBackend

  /// - Parameter socket: from which the batch has its numbers.
  init(
    _ plan: Plan, _ reading: KernelReading, _ compiler: PlanCompiler, _ written: [TableID: CompiledTable.Written],
    _ sealed: consuming SealedBatch, _ socket: consuming NetlinkSocket, _ backend: NFTablesBackend
  ) {
    (self.plan, self.reading, self.compiler, self.backend) = (plan, reading, compiler, backend)
    self.written = written
    self.sealed = sealed
    self.socket = consume socket
  }

  /// Gives the kernel a batch without an end, which it tries and forgets.
  func attempt() throws(BackendError) {
    guard let socket = socket.take() else { return }
    do throws(SealedBatch.Problem) { try sealed.send(through: socket) } catch {
      throw BackendError(error, plan, compiler)
    }
  }

  func carryOut() throws(BackendError) {
    guard let socket = socket.take() else { return }
    do throws(BackendError) {
      let earlier = backend.memory?.recall(socket.place(reading.generation))
      let (result, draft) = try send(through: socket, earlier)
      var reader = KernelReader(through: socket)
      remember(result, draft, earlier, &reader)
      reader.leave()
    } catch {
      // An answer that got lost says nothing: what the kernel holds does.
      guard error.kind == .system else { throw error }
      guard try backend.isCarriedOut(plan, since: reading, after: error) else { throw error }
    }
  }

  // MARK: What is remembered

  /// So many bytes of rules are written while the kernel is at work.
  private static let manyBytes = 1 << 19

  /// Sends the batch and, while the kernel is at work on it, writes down what it will hold then, where that is much.
  /// - Parameter earlier: what is remembered of the generation before.
  private func send(
    through socket: borrowing NetlinkSocket, _ earlier: RememberedRules?
  ) throws(BackendError) -> (SealedBatch.Result, RuleMemory.Draft?) {
    do throws(SealedBatch.Problem) {
      guard let memory = backend.memory, earlier == nil || !mayAdd(to: earlier),
        let next = socket.place(reading.next)
      else { return (try sealed.send(through: socket), nil) }
      let contents = compiler.contents(after: plan, reading, written)
      guard contents.reduce(0, { $0 + $1.rules.bytes.count }) >= Self.manyBytes else {
        return (try sealed.send(through: socket), nil)
      }
      var answer: Result<SealedBatch.Result, SealedBatch.Problem>?
      var draft: RuleMemory.Draft?
      runTogether {
        answer = Result { () throws(SealedBatch.Problem) in try sealed.send(through: socket) }
      } _: {
        draft = memory.draft(
          contents, replacing: Set(plan.creations), since: earlier, at: next, compiled: compiled, isSettled: isSettled)
      }
      return (try answer!.get(), draft)
    } catch {
      throw BackendError(error, plan, compiler)
    }
  }

  /// Whether what changes may stand behind what is remembered. Whether tables share all that they can is said once for all.
  private func mayAdd(to earlier: RememberedRules?) -> Bool {
    guard let earlier else { return false }
    guard !compiler.layouts.isEmpty else { return true }
    return earlier.isSettled == isSettled
      && compiler.layouts.keys.allSatisfy { id in
        reading.tables[id]?.isPartial == true && written[id]?.table.shared.isEmpty == true
      }
  }

  /// All tables that stand in compiled form then.
  private var compiled: Set<TableID> {
    reading.compiled.subtracting(plan.tables).union(written.keys)
  }

  /// Whether tables share all that they can with those of the other family then.
  private var isSettled: Bool { backend.form == .compiled && plan.shapes.isEmpty }

  /// Keeps what nf_tables holds after a commit, if nobody has changed it since.
  private func remember(
    _ result: SealedBatch.Result, _ draft: RuleMemory.Draft?, _ earlier: RememberedRules?,
    _ reader: inout KernelReader
  ) {
    guard let memory = backend.memory, let new = reader.place(reading.next),
      (try? reader.generation()) == reading.next
    else { return }
    let after = Aftermath(of: plan, compiler, reading, written, result, generation: reading.next)
    if let draft { return draft.finish { after.reading.tables[$0.table]?.handles[$0.chain] } }
    if mayAdd(to: earlier), let earlier, let changes = after.changes, memory.add(changes, to: earlier, at: new) {
      return
    }
    let replaced = Set(plan.tables).union(plan.creations).union(compiler.sharing.partners.map(\.id))
    memory.keep(
      Array(after.reading.tables.values), replacing: replaced, since: earlier, at: new, compiled: compiled,
      isSettled: isSettled)
  }
}
