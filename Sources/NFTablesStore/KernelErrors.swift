internal import CNFTables
internal import Glibc
internal import Netfilter
package import RuleStore

/// From error numbers to sentences that name what they are about and say what to do.
extension BackendError {
  /// Of kind `stale`: the table has to be read.
  static func notRemembered(_ id: TableID) -> BackendError {
    BackendError(.stale, "where the rules stand is not remembered", table: id)
  }

  init(_ problem: KernelReader.Problem) {
    switch problem {
    case .netlink(let failure): self.init(failure)
    case .unreadable(let what): self.init(.system, "nf_tables: \(what)")
    case .damaged(let id, let form, let what):
      let family = "\(NFTFamily(rawValue: form.family(id)))"
      self.init(
        .refused,
        "nf_tables table \(form == .shared ? "\(family) " : "")\(TableForm.compiledTable), which holds table \(id) in compiled form, \(what); nothing was changed",
        hint: "see it with: nft -a list table \(family) \(TableForm.compiledTable)",
        table: id)
    case .twice(let id):
      let family = id.family == .ipv4 ? "ip" : "ip6"
      self.init(
        .refused,
        "nf_tables holds table \(id) twice: compiled in table \(TableForm.compiledTable), and as another program left it in table \(id.name); nothing was changed",
        hint: "look at both, and take the one out that is not wanted: nft delete table \(family) \(id.name)", table: id)
    case .foreign(let id, let chain, let rule, let what):
      var subject = "nf_tables table \(id)"
      if let chain { subject += rule.map { ", chain \(chain): the rule with handle \($0)" } ?? ": chain \(chain)" }
      self.init(
        .refused, "\(subject) \(what); nothing was changed",
        hint: "see it with: nft -a list table \(id.family == .ipv4 ? "ip" : "ip6") \(id.name)", table: id)
    }
  }

  package init(_ failure: NetlinkFailure) {
    let reason = describe(failure.code)
    switch (failure.operation, failure.code) {
    case (_, EPERM), (_, EACCES):
      self.init(
        .notPermitted, "nf_tables: only root may read or change it", hint: "run it with sudo", code: failure.code)
    case (.open, EPROTONOSUPPORT), (.open, EAFNOSUPPORT), (.answer, EOPNOTSUPP), (.answer, EINVAL):
      self.init(
        .unsupported, "the kernel has no nf_tables (\(reason))", hint: "is the module nf_tables there?",
        code: failure.code)
    case (.interrupted, _):
      self.init(
        .busy, "nf_tables was changed again and again by another program while it was read", code: failure.code)
    case (.send, EMSGSIZE), (.send, ENOBUFS):
      self.init(
        .system, "the rules are more than the kernel takes in one transaction (\(reason))",
        hint: "raise net.core.wmem_max, or run with the right CAP_NET_ADMIN", code: failure.code)
    case (.open, _): self.init(.system, "nf_tables cannot be reached: \(reason)", code: failure.code)
    case (.send, _): self.init(.system, "nf_tables took nothing: \(reason)", code: failure.code)
    case (.receive, _), (.answer, _):
      self.init(.system, "nf_tables did not answer as it should: \(reason)", code: failure.code)
    }
  }

  /// A batch that was not carried out.
  init(_ problem: SealedBatch.Problem, _ plan: Plan, _ compiler: PlanCompiler) {
    switch problem {
    case .netlink(let failure): self.init(failure)
    case .refused(let refusal): self.init(refusal, plan, compiler)
    }
  }

  private init(_ refusal: SealedBatch.Refusal, _ plan: Plan, _ compiler: PlanCompiler) {
    let said = refusal.text.map { "\(describe(refusal.code)): \($0)" } ?? describe(refusal.code)
    switch refusal.subject {
    case .frame:
      self.init(frame: refusal.code, said)
    case .table(let id):
      self.init(.refused, "the kernel refused to make nf_tables table \(id): \(said)", table: id)
    case .chain(let id, let chain):
      self.init(.refused, "nf_tables table \(id): the kernel refused chain \(chain): \(said)", table: id)
    case .deletion(let id, let chain):
      self.init(
        .refused, "nf_tables table \(id): the kernel refused to take out chain \(chain) or its rules: \(said)",
        table: id)
    case .lookup(let id, let chain):
      self.init(
        .refused, "nf_tables table \(id): the kernel refused the compiled form of chain \(chain): \(said)",
        hint: "commit it in linear form: --no-compile", table: id)
    case .part(let part): self.init(.refused, "the kernel refused \(part): \(said)")
    case .rule(let id, let chain, let number):
      self.init(
        .refused,
        refusal.code == EMLINK
          ? Self.tooDeep(id) : "the kernel refused table \(id): \(Self.reason(refusal.code, said))",
        table: id)
      if let after = plan.steps.first(where: { $0.id == id })?.after[chain] {
        culprit = compiler.culprit(after, number, id)
      }
    }
    code = refusal.code
    if code == EPERM || code == EACCES { kind = .notPermitted }
  }

  init(frame code: Int32, _ said: String) {
    switch code {
    case NetlinkSocket.restartNeeded:
      self.init(.stale, "the rules have changed since they were read", code: code)
    case EPERM, EACCES:
      self.init(.notPermitted, "nf_tables: only root may change it", hint: "run it with sudo", code: code)
    case EOPNOTSUPP, EINVAL:
      self.init(.unsupported, "the kernel has no nf_tables (\(said))", code: code)
    default: self.init(.refused, "the kernel refused the transaction: \(said)", code: code)
    }
  }

  static func tooDeep(_ id: TableID) -> String {
    "the kernel refuses table \(id): its chains call each other deeper than nf_tables goes"
  }

  private static func reason(_ code: Int32, _ said: String) -> String {
    switch code {
    case ENOENT: "it lacks a match or target that a rule uses, or what a rule names"
    case ELOOP: "its chains form a loop"
    case EINVAL: "an extension got a value, or stands at a place, that it does not take (\(said))"
    default: said
    }
  }
}

func describe(_ code: Int32) -> String {
  code == NetlinkSocket.restartNeeded ? "the generation has passed" : String(cString: strerror(code))
}
