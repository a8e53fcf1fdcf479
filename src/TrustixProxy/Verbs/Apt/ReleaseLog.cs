using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using TrustixProxy.AptGate.Archives;
using TrustixProxy.AptGate.Releases;
using TrustixProxy.Configuration;
using TrustixProxy.Publisher;
using TrustixProxy.Terminal;

namespace TrustixProxy.Verbs.Apt;

/// <summary>Submits which Release files archives served to a log, where sites can compare them.</summary>
/// <remarks>Key: <c>apt-release ADDRESS SUITE SHA256</c>, with the archive's address. Value: the same as JSON. A Release file is in the log
/// if its key is.</remarks>
internal sealed class ReleaseLog(AptLogOptions log, ImmutableArray<ArchiveOptions> archives) : IDisposable
{
    private readonly LogSubmitter _submitter = new(log.Url, log.Token);
    private string? _id;

    /// <summary>Submits; completes when the log's signed head covers them.</summary>
    /// <exception cref="SubmissionException">The log cannot be reached, or refuses.</exception>
    public async Task SubmitAsync(IReadOnlyList<ServedRelease> releases, CancellationToken cancellation)
    {
        _id ??= await _submitter.FindLogAsync(log.Name, cancellation);
        await _submitter.SubmitEntriesAsync(_id, releases.Select(EntryOf), cancellation);
    }

    /// <inheritdoc/>
    public void Dispose() => _submitter.Dispose();

    /// <summary>The key of a Release file in every log.</summary>
    public static byte[] KeyOf(ServedRelease release, ArchiveOptions archive) =>
        Encoding.UTF8.GetBytes($"apt-release {AddressOf(archive)} {release.Suite} {release.Sha256}");

    private static string AddressOf(ArchiveOptions archive) => archive.Url.ToString().TrimEnd('/');

    private (byte[] Key, byte[] Value) EntryOf(ServedRelease release)
    {
        var archive = archives.First(archive => archive.Name == release.Archive);
        return (KeyOf(release, archive), JsonSerializer.SerializeToUtf8Bytes(
            new LoggedRelease(AddressOf(archive), release.Suite, release.Sha256.ToString()), AptJson.Default.LoggedRelease));
    }
}
