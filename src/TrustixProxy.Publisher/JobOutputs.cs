using TrustixProxy.Nix;

namespace TrustixProxy.Publisher;

/// <summary>The known outputs of a job, with or without the hook's description.</summary>
/// <param name="Outputs">The outputs that are certain.</param>
/// <param name="Lost">Why some of it cannot be published; empty when everything can.</param>
internal sealed record JobOutputs(IReadOnlyList<DescribedOutput> Outputs, string Lost)
{
    /// <summary>Uses Nix's description from right after the build.</summary>
    public static JobOutputs Of(SpoolJob job, IReadOnlyList<DescribedOutput> described)
    {
        var wanted = described.Where(output => job.Outputs.Count is 0 || job.Outputs.Contains(output.Statement.Path)).ToList();
        var missing = job.Outputs.Except(wanted.Select(output => output.Statement.Path)).ToList();
        return new JobOutputs(wanted, missing.Count is 0 ? "" : $"{Names(missing)} was garbage-collected before Nix described it");
    }

    /// <summary>Asks Nix now. Gives up outputs that were collected or may stem from another build: better no statement than a wrong
    /// one.</summary>
    /// <exception cref="NixException">Nix could not answer.</exception>
    public static async Task<JobOutputs> AskAsync(SpoolJob job, CancellationToken cancellation)
    {
        var outputs = job.Outputs;
        if (outputs.Count is 0)
        {
            if ((await NixStore.ValidAsync([job.Derivation], cancellation)).Count is 0)
            {
                return new JobOutputs([], $"{job.Derivation} was garbage-collected, so its outputs are unknown");
            }

            outputs = await NixStore.OutputsAsync(job.Derivation, cancellation);
        }

        var valid = await NixStore.ValidAsync(outputs, cancellation);
        var described = valid.Count is 0 ? [] : await NixStore.DescribeAsync(valid, cancellation);
        return Certain(job, outputs, described);
    }

    /// <summary>Keeps only certain outputs. A path that became valid after the job was written is another copy, built again or fetched from
    /// an unknown source.</summary>
    internal static JobOutputs Certain(SpoolJob job, IReadOnlyList<StorePath> outputs, IReadOnlyList<DescribedOutput> described)
    {
        var certain = described.Where(output => output.RegisteredAt <= job.WrittenAt).ToList();
        var gone = outputs.Except(described.Select(output => output.Statement.Path)).ToList();
        var other = described.Except(certain).Select(output => output.Statement.Path).ToList();
        string[] lost =
        [
            .. gone.Count is 0 ? [] : new[] { $"{Names(gone)} was garbage-collected" },
            .. other.Count is 0 ? [] : new[] { $"{Names(other)} may have been replaced since it was built" },
        ];
        return new JobOutputs(certain, string.Join("; ", lost));
    }

    private static string Names(IEnumerable<StorePath> paths) => string.Join(", ", paths);
}
