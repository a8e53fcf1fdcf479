using TrustixProxy.Configuration;

namespace TrustixProxy.Terminal;

/// <summary>What the exit code says.</summary>
internal static class ExitCode
{
    /// <summary>It went well, or the answer is yes.</summary>
    public const int Good = 0;

    /// <summary>The answer is no.</summary>
    public const int No = 1;

    /// <summary>The command line or the configuration is at fault.</summary>
    public const int Usage = 2;

    /// <summary>It could not be found out.</summary>
    public const int Unknown = 3;

    /// <summary>Tells all faults of a configuration.</summary>
    public static int Refuse(IReadOnlyList<Fault> faults)
    {
        foreach (var fault in faults)
        {
            StartupMessage.Fail(fault.ToString());
        }

        StartupMessage.Fail(faults.Count is 1 ? "1 fault; nothing was started." : $"{faults.Count} faults; nothing was started.");
        return Usage;
    }
}
