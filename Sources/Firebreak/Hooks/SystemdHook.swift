/// A unit that runs before the network is set up, and never takes rules away.
enum SystemdHook {
  private static let unit = "/etc/systemd/system/firebreak.service"
  private static let wants = "/etc/systemd/system/multi-user.target.wants/firebreak.service"

  static func files(_ program: HookProgram) throws(HookFailure) -> [HookFile] {
    let text = """
      \(SystemHook.systemd.heading)
      [Unit]
      Description=Firebreak: the packet filter's last confirmed generation
      DefaultDependencies=no
      Wants=network-pre.target
      Before=network-pre.target shutdown.target
      After=local-fs.target systemd-modules-load.service
      Conflicts=shutdown.target

      [Service]
      Type=oneshot
      RemainAfterExit=yes
      ExecStart=\(try program.systemd("recover", "--lock-wait", "60"))
      # There is nothing to do at the end: to stop this unit leaves the rules in force.

      [Install]
      WantedBy=multi-user.target

      """
    // What `systemctl enable` does.
    return [HookFile(unit, .systemd, text), HookFile(link: wants, to: "../firebreak.service", or: [unit])]
  }
}
