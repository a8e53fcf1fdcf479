using Microsoft.AspNetCore.Http;
using TrustixProxy.Apt;
using TrustixProxy.AptGate.Archives;
using TrustixProxy.AptGate.Delivery;
using TrustixProxy.AptGate.Indexes;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.AptGate.Serving;

/// <summary>Answers requests for files whose address has their SHA-256: hashed before they are kept, and kept on disk.</summary>
internal sealed class HashedAnswers(IndexReadings indexes, GateFiles files)
{
    /// <summary>Answers; the file must not be a package.</summary>
    public async Task AnswerAsync(HttpContext context, Archive archive, ArchiveRequest request)
    {
        var sha256 = new Digest(Convert.FromHexString(request.HashHex!));
        var order = new FileOrder(archive, request.UrlPath, sha256, null);
        var index = IndexOf(archive, request);
        var fetching = index is not null && !files.Holds(sha256) ? files.Fetch(order) : null;
        if (fetching is not null)
        {
            indexes.Begin(index!, new FetchedBytes(fetching), IsWholeAsync(fetching));
        }

        var (content, start) = await files.OpenAsync(order, context.RequestAborted);
        using (content)
        {
            if (content is null)
            {
                await PackageAnswers.FailAsync(context, start);
                return;
            }

            if (index is not null && fetching is null && !indexes.HasRead(index)
                && await files.OpenStoredAsync(sha256, context.RequestAborted) is { } stored)
            {
                indexes.Begin(index, new ContentStream(stored), Task.FromResult(true)); // another one was the newest for a while
            }

            if (await IsPackageAsync(content, context.RequestAborted))
            {
                await RefusePackageAsync(context);
                return;
            }

            await FileAnswer.WriteAsync(context, content, request.HashHex!);
        }
    }

    /// <summary>Refuses a package at an address that is none of a package: an index may give a package any name.</summary>
    public static Task RefusePackageAsync(HttpContext context) => context.FailAsync(
        StatusCodes.Status403Forbidden, "Refused: a package whose name does not end in .deb");

    private static PassingIndex? IndexOf(Archive archive, ArchiveRequest request) => !request.MayBePackages ? null
        : new PassingIndex(
            archive.Options.Name, request.Path[..^$"by-hash/{request.HashName}/{request.HashHex}".Length], request.HashHex!);

    private static async Task<bool> IsWholeAsync(FileFetch fetch) => (await fetch.Ended).Fault is null;

    private static async Task<bool> IsPackageAsync(FileContent content, CancellationToken cancellation)
    {
        var (first, count) = (new byte[DebMagic.Size], 0);
        try
        {
            while (count < first.Length && await content.ReadAsync(count, first.AsMemory(count), cancellation) is var read and > 0)
            {
                count += read;
            }
        }
        catch (IOException)
        {
            return false; // what failed is told when it is sent
        }

        return DebMagic.IsPackage(first.AsSpan(0, count));
    }
}
