using TrustixProxy.IO.Programs;

namespace TrustixProxy.Tests.Packaging;

/// <summary>A theory about units of systemd, skipped where there is no <c>systemd-analyze</c>.</summary>
public sealed class SystemdTheoryAttribute : TheoryAttribute
{
    public SystemdTheoryAttribute()
    {
        if (ProgramStart.Find("systemd-analyze", Environment.GetEnvironmentVariable("PATH")) is null)
        {
            Skip = "systemd-analyze is missing: install the Debian package systemd.";
        }
    }
}
