internal import Firebreak

struct Apply: Subcommand {
  static let name = "apply"

  static let about = About(
    "Commit rules to the kernel: all of them, or nothing.",
    discussion: """
      Everything is read and checked first. Then the lock that iptables uses is taken, the kernel's tables are read, \
      and what has to follow the first table is tried in a network namespace made for that. When a table fails, those \
      before it are put back. Rules that stay keep their counters; when nothing changes nothing is written.

      EXAMPLES
        firebreak apply rules.v4 rules.v6
        firebreak apply --check --diff rules.v4
        firebreak apply --compile many-hosts.v4
        iptables-save | sed s/eth0/ens3/ | firebreak apply -
      """)

  @OptionGroup(title: "COMMON OPTIONS") var site: SiteOptions
  @OptionGroup() var lock: LockOptions
  @OptionGroup() var input: InputArguments
  @OptionGroup(title: "CONFIRMATION") var confirmation: ConfirmationOptions

  @Flag("--check", "--dry-run", "-n", help: "Rehearse all of it and change nothing.")
  var check = false

  @Flag("--diff", help: "Show what changes, as lines with - and +.")
  var diff = false

  @Option("--message", "-m", help: "Why; kept beside what is needed to take the commit back.")
  var message = ""

  @Flag("--counters", "-c", help: "Take the counters of new rules from the input too.")
  var counters = false

  @Flag("--no-rehearsal", help: "Do not try the commit in a network namespace first.")
  var noRehearsal = false

  @Flag("--exclusive", help: "Take these tables over whole: rules of other programs in them go too.")
  var exclusive = false

  @Flag(
    orNot: "--compile",
    help: """
      Let nf_tables look rules up in maps where that means the same, instead of asking one after the other; \
      --no-compile takes that back. Without either, tables keep the form that they have.
      """)
  var compile: Bool?

  func validate() throws {
    if compile == true, site.backend == .legacy {
      throw ValidationError("--compile needs nf_tables: leave --backend legacy out, or write --backend nft")
    }
  }

  func run() throws {
    try site.run { console in
      try site.enter()
      let store = try site.store(form: compile.map { $0 ? .compiled : .linear } ?? .asItIs)
      // Rules that are known come without their counters.
      let rules = try site.readCommit(
        input.inputs, console, for: store.backend.capabilities.interface, mayBeKnown: !counters)
      var request = rules.request
      lock.apply(to: &request.options)
      request.options.rehearses = !noRehearsal
      request.options.counters = counters ? .wanted : .zero
      request.message = message
      request.keeping = exclusive ? .nothing : .foreign
      confirmation.apply(to: &request)
      let engine = try site.engine(store)
      guard !check else {
        let report = try rules.locating { try engine.check(request) }
        return CommitReport(report, status: "planned", showsDifference: diff).render(console)
      }
      let report = try rules.locating { try engine.apply(request) }
      let shown = CommitReport(report, status: "committed", showsDifference: diff)
      try shown.finish(engine, waits: !confirmation.noWait, console)
    }
  }
}
