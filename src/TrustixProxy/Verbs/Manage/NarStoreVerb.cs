using System.CommandLine;
using System.Text.Json;
using TrustixProxy.Configuration;
using TrustixProxy.IO.Buckets;
using TrustixProxy.Nars.Store;
using TrustixProxy.Terminal;

namespace TrustixProxy.Verbs.Manage;

/// <summary><c>trustix-proxy nar-store fsck|gc</c>: looks after the NARs that are kept on disk; the proxy may be running.</summary>
internal static class NarStoreVerb
{
    private static readonly Option<bool> Delete = new("--delete") { Description = "Delete damaged files." };

    public static Command Create()
    {
        var fsck = new Command(
            "fsck", "Checks the hash of every NAR in the store against its name, after "
                + "decompression.") { SharedOptions.Config, Delete, SharedOptions.Json };
        fsck.SetAction((parsed, cancellation) => WithAsync(parsed, store => CheckAsync(store, parsed, cancellation)));
        var gc = new Command("gc", "Removes leftovers of crashed writers and evicts least recently used NARs down to "
            + "narStore.maxSize; deletes the oldest objects of the bucket in narStore.s3.") { SharedOptions.Config, SharedOptions.Json };
        gc.SetAction((parsed, cancellation) => ProxyConfiguration.ReadAsync(parsed.GetValue(SharedOptions.Config), options =>
            WithAsync(parsed, store => CollectAsync(store, options.NarStore?.Shared, parsed.GetValue(SharedOptions.Json), cancellation))));
        return new Command("nar-store", "Checks or cleans the proxy's NARs on disk.") { fsck, gc };
    }

    private static Task<int> WithAsync(ParseResult parsed, Func<NarStoreMaintenance, Task<int>> run) =>
        ProxyConfiguration.ReadAsync(parsed.GetValue(SharedOptions.Config), options =>
        options.NarStore is null
            ? Task.FromResult(
            ExitCode.Refuse(
            [new Fault("narStore", "is missing: this proxy keeps no NARs. Set it, for example to {\"maxSize\": \"50GiB\"}.")]))
            : WithAsync(options.NarStore, run));

    private static async Task<int> WithAsync(NarStoreOptions options, Func<NarStoreMaintenance, Task<int>> run)
    {
        try
        {
            return await run(new NarStoreMaintenance(options));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"narStore.directory: '{options.Directory}' cannot be used: {exception.Message} Run this as "
                + $"the proxy's user.");
            return ExitCode.Unknown;
        }
    }

    private static async Task<int> CheckAsync(NarStoreMaintenance store, ParseResult parsed, CancellationToken cancellation)
    {
        var (isJson, isToDelete) = (parsed.GetValue(SharedOptions.Json), parsed.GetValue(Delete));
        var result = await store.CheckAsync(isToDelete, cancellation);
        if (isJson)
        {
            Console.WriteLine(JsonSerializer.Serialize(result, VerbJson.Indented.NarStoreCheckResult));
        }
        else
        {
            foreach (var damage in result.Damaged)
            {
                Console.WriteLine($"{damage.File}: {damage.Fault}{(isToDelete ? ", deleted" : "")}");
            }

            Console.WriteLine($"{result.Files:N0} NARs of {result.Bytes:N0} bytes, "
                + $"{(result.Damaged.Count is 0 ? "all match their names" : $"{result.Damaged.Count} damaged")}");
        }

        return result.Damaged.Count is 0 ? ExitCode.Good : ExitCode.No;
    }

    private static async Task<int> CollectAsync(
        NarStoreMaintenance store, SharedNarsOptions? shared, bool isJson, CancellationToken cancellation)
    {
        var result = store.Collect();
        try
        {
            result = shared is null ? result : result with { Shared = await CollectAsync(shared, cancellation) };
        }
        catch (HttpRequestException exception)
        {
            Console.Error.WriteLine($"narStore.s3: '{shared!.Base}' cannot be cleaned: {exception.Message} Check its key and its server.");
            return ExitCode.Unknown;
        }

        Console.WriteLine(isJson
            ? JsonSerializer.Serialize(result, VerbJson.Indented.NarStoreGcResult)
            : $"{result.Deleted:N0} NARs and {result.Abandoned:N0} unfinished files of {result.DeletedBytes:N0} bytes deleted; "
                + $"{result.Bytes:N0} bytes left of at most {result.MaxSize:N0}"
                + (result.Shared is not { } objects ? "" : $"; shared: {objects.Deleted:N0} objects of {objects.DeletedBytes:N0} bytes "
                    + $"deleted, {objects.Bytes:N0} bytes left of at most {objects.MaxSize:N0}"));
        return result.Bytes <= result.MaxSize ? ExitCode.Good : ExitCode.No;
    }

    private static async Task<SharedNarsGcResult> CollectAsync(SharedNarsOptions shared, CancellationToken cancellation)
    {
        using var http = Bucket.Sender(shared.Proxies, TimeProvider.System);
        return await new SharedNarsMaintenance(shared, http, TimeProvider.System).CollectAsync(cancellation);
    }
}
