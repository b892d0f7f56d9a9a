package import Netfilter
internal import RuleStore
internal import Synchronization

/// Says whether the kernel has a revision of an extension; nil where it has no such extension, or does not say.
package typealias RevisionAnswer =
  @Sendable (
    _ revision: UInt8, _ kernelName: String, _ isTarget: Bool, _ family: Family
  ) -> Bool?

/// Which revisions of extensions the kernel has. Rules are made in the newest revisions; older kernels do not have all of
/// them.
///
/// The kernel is asked once about each extension that has several revisions, when a commit is to write it.
final class KernelRevisions: Sendable {
  private let answer: RevisionAnswer
  private let known = Mutex<[Question: UInt8?]>([:])

  private struct Question: Hashable {
    let name: String
    let revision: UInt8
    let isTarget: Bool
    let family: Family
  }

  init(_ answer: @escaping RevisionAnswer) { self.answer = answer }

  /// The plan in revisions that the kernel has.
  /// - Throws: ``BackendError`` of kind `unsupported` for a rule that cannot be said in them.
  func fitted(_ plan: Plan, names: Names) throws(BackendError) -> Plan {
    var steps = plan.steps
    var isChanged = false
    for index in steps.indices {
      let step = steps[index]
      guard let table = try fitted(step.after, names) else { continue }
      steps[index] = Plan.Step(
        id: step.id, before: step.before, after: table, restoresCounters: step.restoresCounters)
      isChanged = true
    }
    return isChanged ? Plan(steps: steps, creations: plan.creations) : plan
  }

  /// nil when nothing has to change.
  private func fitted(_ table: Table, _ names: Names) throws(BackendError) -> Table? {
    var result: Table?
    var taken: [RuleList.RevisedName] = []
    for (index, chain) in table.chains.enumerated() {
      var places: [Int] = []
      chain.rules.forEachRevised { place, name in
        if taken.contains(name) || places.last == place { return }
        if earlier(than: name, table.family) == nil { taken.append(name) } else { places.append(place) }
      }
      guard !places.isEmpty else { continue }
      var rewritten = RuleList(family: table.family)
      var sources: [Int: Int] = [:]
      for place in places {
        sources[place] = rewritten.count
        try rewrite(chain, place, table, names, into: &rewritten)
      }
      if result == nil { result = table }
      result?.setRules(of: index, chain.rules.replacing(sources, from: rewritten))
    }
    return result
  }

  /// The revision to use instead; nil when the kernel takes this one, or has no earlier one either.
  private func earlier(than name: RuleList.RevisedName, _ family: Family) -> UInt8? {
    guard let text = name.name, Registry.standard.hasEarlierRevisions(kernelName: text, isTarget: name.isTarget) else {
      return nil
    }
    return earlier(Question(name: text, revision: name.revision, isTarget: name.isTarget, family: family))
  }

  private func earlier(_ question: Question) -> UInt8? {
    if let found = known.withLock({ $0[question] }) { return found }
    let found = ask(question)
    known.withLock { $0[question] = .some(found) }
    return found
  }

  private func ask(_ question: Question) -> UInt8? {
    func has(_ revision: UInt8) -> Bool? { answer(revision, question.name, question.isTarget, question.family) }
    guard has(question.revision) == false else { return nil }
    return (0..<question.revision).reversed().first { has($0) == true }
  }

  private func rewrite(
    _ chain: Chain, _ place: Int, _ table: Table, _ names: Names, into rules: inout RuleList
  ) throws(BackendError) {
    let rule = chain.rules[place]
    func revision(_ part: any Extension) -> UInt8 {
      let revision = part.revision(for: table.family)
      let isTarget = part is any Target
      return earlier(
        Question(name: part.kernelName, revision: revision, isTarget: isTarget, family: table.family)) ?? revision
    }
    var bytes = ByteWriter()
    if let part = RuleCodec.encode(rule, family: table.family, to: &bytes, revision: revision) {
      throw BackendError(
        .unsupported,
        """
        table \(table.id): this kernel has '\(part.kernelName)' in revision \(revision(part)) at most, and what the rule \
        says needs revision \(part.revision(for: table.family))
        """,
        hint: "write the rule without what a later kernel brought", table: table.id,
        culprit: BackendError.Culprit(
          table: table.id, chain: chain.name, ruleNumber: place + 1, position: chain.rules.position(of: place),
          text: "-A \(chain.name)" + SaveText.rule(rule, family: table.family, names: names)))
    }
    do throws(WireError) {
      try rules.append(bytes: bytes.bytes.span.bytes)
    } catch {
      preconditionFailure("a rule that was just written is whole: \(error)")
    }
  }
}
