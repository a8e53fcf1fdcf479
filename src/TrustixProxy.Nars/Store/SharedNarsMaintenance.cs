using TrustixProxy.IO.Buckets;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Store;

/// <summary>The result of a garbage collection in the bucket that replicas share.</summary>
/// <param name="Deleted">Number of objects deleted.</param>
/// <param name="DeletedBytes">Their size in bytes.</param>
/// <param name="Bytes">Size of the remaining objects in bytes.</param>
/// <param name="MaxSize">Maximum total size in bytes.</param>
public sealed record SharedNarsGcResult(int Deleted, long DeletedBytes, long Bytes, long MaxSize);

/// <summary>Deletes the oldest objects of the bucket that replicas share. Several may do so at once: all delete in the same order, and what
/// is gone already is no fault. A narinfo whose NAR is gone harms nobody; the NAR is uploaded again when it is next fetched.</summary>
/// <param name="options">The bucket and its limits.</param>
/// <param name="http">Sends requests.</param>
public sealed class SharedNarsMaintenance(SharedNarsOptions options, HttpMessageInvoker http, TimeProvider time)
{
    private readonly Bucket _bucket = new(options.Root, options.Prefix, options.Signer, http, time);

    /// <summary>Deletes what is too old, and then the oldest objects until the rest fits.</summary>
    /// <exception cref="HttpRequestException">The bucket does not answer.</exception>
    public async Task<SharedNarsGcResult> CollectAsync(CancellationToken cancellation)
    {
        var ours = (await _bucket.ListAsync(cancellation)).Where(IsOurs)
            .OrderBy(entry => entry.At).ThenBy(entry => entry.Name, StringComparer.Ordinal).ToList();
        var (left, deleted, bytes) = (ours.Sum(entry => entry.Size), 0, 0L);
        var oldest = time.GetUtcNow() - options.MaxAge;
        foreach (var entry in ours.TakeWhile(entry => entry.At < oldest || left > options.MaxSize))
        {
            await _bucket.DeleteAsync(entry.Name, cancellation);
            (left, deleted, bytes) = (left - entry.Size, deleted + 1, bytes + entry.Size);
        }

        return new SharedNarsGcResult(deleted, bytes, left, options.MaxSize);
    }

    /// <summary>Whether an object has a name that <see cref="SharedNars"/> gives.</summary>
    private static bool IsOurs(BucketObject entry)
    {
        const string narInfo = ".narinfo", folder = "nar/", nar = ".nar";
        if (entry.Name.EndsWith(narInfo, StringComparison.Ordinal))
        {
            return StorePathDigest.TryParse(entry.Name.AsSpan(0, entry.Name.Length - narInfo.Length), out _);
        }

        var end = entry.Name.IndexOf(nar, StringComparison.Ordinal);
        return entry.Name.StartsWith(folder, StringComparison.Ordinal) && end > folder.Length
            && NixHash.TryParseDigits(NixHashAlgorithm.Sha256, entry.Name.AsSpan(folder.Length, end - folder.Length), out _, out _);
    }
}
