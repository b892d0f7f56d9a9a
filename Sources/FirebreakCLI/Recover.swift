internal import Firebreak

struct Recover: Subcommand {
  static let name = "recover"

  static let about = About(
    "Finish what an interrupted commit left; at the start of the machine, load the last generation.",
    discussion: """
      A commit that is killed half-way is put back by a process that was waiting beside it, which runs this command. Every \
      apply, confirm and rollback does the same first. It touches only tables that still hold what the interrupted commit put \
      there; when there is nothing to finish it does nothing.

      Run for the first time after the machine has started, it puts the newest generation into the kernel: the last one \
      that was confirmed, through the kernel interface that it was committed through unless --backend names one. Where \
      its file is damaged it takes the one before, and says so; when none is whole it fails. `firebreak hook` has the \
      system run it.
      """)

  @OptionGroup(title: "COMMON OPTIONS") var site: SiteOptions
  @OptionGroup() var lock: LockOptions

  @Flag("--this-start", help: "Only finish; load nothing.")
  var thisStart = false

  func run() throws {
    try site.run { console in
      try site.enter()
      var options = RuleStore.CommitOptions()
      lock.apply(to: &options)
      let engine = try site.engine(site.store())
      let recovery = try engine.recoverInterrupted(options)
      let loading = thisStart ? nil : try engine.loadAtStart(options, through: site.backendName)
      for note in loading?.notes ?? [] { console.note(note) }
      let sentences = [
        recovery?.sentence,
        loading.map { "loaded generation \($0.generation.number): \($0.plan.sentence(status: "committed"))" },
      ].compactMap { $0 }
      let status = sentences.isEmpty ? "nothing to recover" : sentences.joined(separator: "; ")
      if console.isJSON {
        var members: [(String, JSON)] = [("status", .string(status))]
        members.append(("generation", loading.map { .number($0.generation.number) } ?? .null))
        members.append(("notes", .array((loading?.notes ?? []).map { .string($0) })))
        console.print(.object(members))
      } else {
        console.say(status)
      }
    }
  }
}
