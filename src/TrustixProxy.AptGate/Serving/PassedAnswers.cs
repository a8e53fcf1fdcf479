using System.Buffers;
using System.Globalization;
using Microsoft.AspNetCore.Http;
using TrustixProxy.Apt;
using TrustixProxy.AptGate.Archives;
using TrustixProxy.AptGate.Indexes;
using TrustixProxy.AptGate.Releases;

namespace TrustixProxy.AptGate.Serving;

/// <summary>Answers requests for files that pass as the archive has them: Release files, indexes, sources. None of them may be a
/// package.</summary>
/// <param name="indexes">Reads indexes that pass.</param>
/// <param name="releases">Records which Release files passed.</param>
internal sealed class PassedAnswers(IndexReadings indexes, ReleaseBook releases, TimeProvider time)
{
    private const int BufferSize = 64 << 10;

    /// <summary>The names of Release files: apt takes the second when an archive lacks the first.</summary>
    private static readonly string[] ReleaseFiles = ["InRelease", "Release"];

    public async Task AnswerAsync(HttpContext context, Archive archive, ArchiveRequest request)
    {
        var (isHead, condition) = (HttpMethods.IsHead(context.Request.Method), ConditionOf(context, request));
        using var file = await archive.OpenAsync(
            isHead ? HttpMethod.Head : HttpMethod.Get, request.UrlPath, condition, context.RequestAborted);
        if (!file.HasContent || isHead || !IsAskedFor(file, condition))
        {
            await AnswerEmptyAsync(context, file, condition);
            return;
        }

        var buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
        try
        {
            await WriteAsync(context, archive, request, file, buffer);
        }
        catch (IOException) when (context.Response.HasStarted)
        {
            context.Abort(); // apt must see that it is not whole
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private async Task WriteAsync(HttpContext context, Archive archive, ArchiveRequest request, ArchiveFile file, byte[] buffer)
    {
        var count = await ReadFirstAsync(file, buffer, context.RequestAborted);
        if (file.Start is 0 && IsPackage(buffer.AsSpan(0, count), file.Length))
        {
            await HashedAnswers.RefusePackageAsync(context);
            return;
        }

        WriteHead(context.Response, file);
        await using var passing = file.Status is 200 ? Watch(archive, request, file) : null;
        for (; count > 0; count = await file.ReadAsync(buffer.AsMemory(0, BufferSize), context.RequestAborted))
        {
            if (passing is not null)
            {
                await passing.PassAsync(buffer.AsMemory(0, count), context.RequestAborted);
            }

            await context.Response.Body.WriteAsync(buffer.AsMemory(0, count), context.RequestAborted);
        }

        passing?.Complete();
        if (passing?.Sha256 is { } sha256 && SuiteOf(request) is { } suite)
        {
            releases.Note(archive.Options.Name, suite, sha256);
        }
    }

    /// <summary>Returns which part of a file to ask for. Release files are always asked for whole: one that comes in parts would not be
    /// recorded.</summary>
    private static ArchiveCondition ConditionOf(HttpContext context, ArchiveRequest request)
    {
        var condition = ArchiveCondition.Of(context.Request);
        return SuiteOf(request) is null ? condition : condition with { From = null, IfRange = null };
    }

    /// <summary>The suite whose Release file is asked for; null for other files.</summary>
    private static string? SuiteOf(ArchiveRequest request) =>
        request.Path.Split('/') is ["dists", .. { Length: > 0 } suite, var name] && ReleaseFiles.Contains(name)
            ? string.Join('/', suite) : null;

    /// <summary>Whether an answer is one to what was asked for: no part of a whole file, and not that an unknown one is
    /// unchanged.</summary>
    private static bool IsAskedFor(ArchiveFile file, ArchiveCondition condition) => file.Status switch
    {
        206 or 416 => !condition.IsWhole,
        304 => condition.IfModifiedSince is not null,
        _ => true,
    };

    /// <summary>Whether a file is a package, or so short that it may be the beginning of one.</summary>
    private static bool IsPackage(ReadOnlySpan<byte> first, long? length) => DebMagic.IsPackage(first)
        || (first.Length is > 0 and < DebMagic.Size && length is null && "!<arch>\n"u8.StartsWith(first));

    private PassingFile? Watch(Archive archive, ArchiveRequest request, ArchiveFile file)
    {
        if (SuiteOf(request) is null && !request.MayBePackages)
        {
            return null;
        }

        var passing = new PassingFile(file.Length);
        if (request.MayBePackages)
        {
            var name = string.Create(
                CultureInfo.InvariantCulture, $"{(file.ModifiedAt ?? time.GetUtcNow()).ToUnixTimeSeconds()} {file.Length}");
            var folder = request.Path[..(request.Path.LastIndexOf('/') + 1)];
            passing.ReadInto(indexes, new PassingIndex(archive.Options.Name, folder, name));
        }

        return passing;
    }

    /// <summary>Reads as many bytes as tell packages from other files.</summary>
    private static async Task<int> ReadFirstAsync(ArchiveFile file, byte[] buffer, CancellationToken cancellation)
    {
        var count = 0;
        while (count < DebMagic.Size && await file.ReadAsync(buffer.AsMemory(count, BufferSize - count), cancellation) is var read and > 0)
        {
            count += read;
        }

        return count;
    }

    private static Task AnswerEmptyAsync(HttpContext context, ArchiveFile file, ArchiveCondition condition)
    {
        if (file.Status is not (200 or 206 or 304 or 416) || !IsAskedFor(file, condition))
        {
            return context.FailAsync(file.FailureStatus, file.FailureStatus switch
            {
                404 or 410 => "Not found in the archive",
                403 => "The archive refuses",
                _ => $"Bad gateway: the archive answers {file.Status}",
            });
        }

        WriteHead(context.Response, file);
        return Task.CompletedTask;
    }

    private static void WriteHead(HttpResponse response, ArchiveFile file)
    {
        (response.StatusCode, response.GetTypedHeaders().LastModified) = (file.Status, file.ModifiedAt);
        if (file.Status is 304)
        {
            return;
        }

        response.Headers.XContentTypeOptions = "nosniff";
        response.ContentLength = file.Status is 416 ? 0 : file.Length;
        var whole = file.WholeLength?.ToString(CultureInfo.InvariantCulture) ?? "*";
        if (file.Status is 206 && file.Length is { } length)
        {
            response.Headers.ContentRange = $"bytes {file.Start}-{file.Start + length - 1}/{whole}";
        }
        else if (file.Status is 416)
        {
            response.Headers.ContentRange = $"bytes */{whole}";
        }
    }
}
