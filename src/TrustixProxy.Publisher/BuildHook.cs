namespace TrustixProxy.Publisher;

/// <summary>Writes a spool job for what Nix has just built; the built-in form of <c>nix/post-build-hook</c>.</summary>
/// <param name="spool">The spool's directory.</param>
/// <param name="maxJobs">Maximum number of jobs in it.</param>
/// <param name="gcRoots">Nix's directory of indirect roots, <c>/nix/var/nix/gcroots/auto</c>.</param>
public sealed class BuildHook(string spool, int maxJobs, string gcRoots, TimeProvider time)
{
    /// <summary>Maximum time for Nix to describe the outputs; afterwards the publisher asks it.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    /// <summary>Writes the job.</summary>
    /// <param name="derivationPath">The built derivation, <c>DRV_PATH</c>.</param>
    /// <param name="outPaths">The outputs, <c>OUT_PATHS</c>.</param>
    /// <returns>Why the outputs will not be published; empty when they will be.</returns>
    public async Task<string> RunAsync(string? derivationPath, string? outPaths)
    {
        if (!SpoolJob.TryParseEnvironment(derivationPath, outPaths, out var derivation, out var outputs, out var error))
        {
            return $"the environment {error}";
        }

        try
        {
            if (Directory.EnumerateFiles(spool, "*.job").Count() >= maxJobs)
            {
                return $"{spool} is full; is trustix-proxy publish running?";
            }

            await WriteAsync(new SpoolJob(
                $"{time.GetUtcNow().ToUnixTimeSeconds()}-{Environment.ProcessId}-{derivation.Digest}", default, derivation, outputs));
            return "";
        }
        catch (DirectoryNotFoundException)
        {
            return $"{spool} is not a directory; trustix-proxy publish creates it";
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return $"{spool} cannot be written to: {exception.Message}";
        }
    }

    private async Task WriteAsync(SpoolJob job)
    {
        if (await DescribeAsync(job) is { } described)
        {
            Spool.Describe(spool, job, described);
            Spool.Write(spool, job);
        }
        else
        {
            Spool.Write(spool, job);
            Keep(job);
        }
    }

    private async Task<IReadOnlyList<DescribedOutput>?> DescribeAsync(SpoolJob job)
    {
        using var patience = new CancellationTokenSource(Patience, time);
        try
        {
            var outputs = job.Outputs.Count > 0 ? job.Outputs : await NixStore.OutputsAsync(job.Derivation, patience.Token);
            return await NixStore.DescribeAsync(outputs, patience.Token);
        }
        catch (Exception exception) when (exception is NixException or OperationCanceledException)
        {
            return null;
        }
    }

    /// <summary>Protects undescribed outputs from garbage collection, where permitted.</summary>
    private void Keep(SpoolJob job)
    {
        foreach (var path in job.Outputs.Append(job.Derivation))
        {
            try
            {
                var link = Path.Combine(spool, $"{job.Id}.root-{path.Digest}");
                File.CreateSymbolicLink(link, path.Absolute);
                File.CreateSymbolicLink(Path.Combine(gcRoots, Path.GetFileName(link)), link);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                return;
            }
        }
    }
}
