using System.Net;
using System.Text;
using Google.Protobuf;
using TrustixProxy.LogNode.Archive;
using TrustixProxy.Nix;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog.Wire;
using LogSigner = TrustixProxy.TransparencyLog.LogSigner;

namespace TrustixProxy.LogNode.Tests.Sequencing;

public sealed class SequencingTests
{
    [Fact]
    public async Task Items_get_their_head_by_themselves_after_the_interval()
    {
        await using var node = new TestLogNode { Change = options => options with { FlushInterval = TimeSpan.FromMilliseconds(50) } };
        await node.StartAsync();
        await node.WriteAsync("/trustix_rpc.v1.LogRPC/Submit", Items(node, 3));

        await SizeReachesAsync(node, 3);
    }

    [Fact]
    public async Task With_an_interval_of_zero_a_submission_is_answered_under_its_head()
    {
        await using var node = new TestLogNode { Change = options => options with { FlushInterval = TimeSpan.Zero } };
        await node.StartAsync();

        for (var i = 1; i <= 20; i++)
        {
            await node.WriteAsync("/trustix_rpc.v1.LogRPC/Submit", Items(node, 3));
            Assert.Equal(((ulong)i * 3, (ulong)i + 1), await node.HeadAsync() is var head ? (head.TreeSize, head.MHTreeSize) : default);
        }

        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => node.WriteAsync("/trustix_rpc.v1.LogRPC/Submit", Items(node, 700))));
        Assert.Equal(60UL + (8 * 700), (await node.HeadAsync()).TreeSize);
    }

    [Fact]
    public async Task Five_hundred_items_get_their_head_at_once()
    {
        await using var node = await new TestLogNode().StartAsync(); // its interval is an hour
        await node.WriteAsync("/trustix_rpc.v1.LogRPC/Submit", Items(node, 499));
        Assert.Equal(0UL, (await node.HeadAsync()).TreeSize);

        await node.WriteAsync("/trustix_rpc.v1.LogRPC/Submit", Items(node, 1));
        await SizeReachesAsync(node, 500);
    }

    [Fact]
    public async Task A_head_is_signed_for_each_batch_of_five_hundred()
    {
        await using var node = await new TestLogNode().StartAsync();
        await node.WriteAsync("/trustix_rpc.v1.LogRPC/Submit", Items(node, 10_000));

        await SizeReachesAsync(node, 10_000);
        Assert.Equal(21UL, (await node.HeadAsync()).MHTreeSize);
    }

    /// <summary>Two threads share large batches, and one takes small ones: the map is that of the same entries.</summary>
    [Fact]
    public async Task Batches_of_any_size_give_the_same_map_also_with_keys_that_are_known_or_twice_in_them()
    {
        var entries = Enumerable.Range(0, 900).Select(i => (BitConverter.GetBytes(i), BitConverter.GetBytes(-i))).ToArray();
        var roots = new List<ByteString>();
        foreach (var size in new[] { 1, 63, 64, 500 })
        {
            await using var node = await new TestLogNode().StartAsync();
            foreach (var batch in entries.Chunk(size))
            {
                await node.SubmitAsync([entries[0], .. batch, batch[^1], (batch[0].Item1, [7])]);
            }

            var head = await node.HeadAsync();
            Assert.Equal(900UL, head.TreeSize);
            roots.Add(head.MapRoot);
        }

        Assert.Single(roots.Distinct());
    }

    [Fact]
    public async Task A_queue_survives_a_restart_and_nothing_is_signed_anew()
    {
        var directory = Directory.CreateTempSubdirectory("trustix-log-").FullName;
        var (signer, token) = (new LogSigner(NixSecretKey.Generate("x").Key), NixSecretKey.Generate("peer"));
        await using (var node = await new TestLogNode(directory, signer, token).StartAsync())
        {
            await node.SubmitAsync(([1], [1]));
            await node.WriteAsync("/trustix_rpc.v1.LogRPC/Submit", Items(node, 1)); // gets its head at once: the one before was flushed
            await node.WriteAsync("/trustix_rpc.v1.LogRPC/Submit", Items(node, 3));
        }

        await using (var node = await new TestLogNode(directory, signer, token).StartAsync())
        {
            var head = await node.HeadAsync();
            Assert.Equal((2UL, 3UL), (head.TreeSize, head.MHTreeSize));
            await node.WriteAsync("/trustix_rpc.v1.LogRPC/Flush", new FlushRequest { LogID = node.LogId });
            Assert.Equal(5UL, (await node.HeadAsync()).TreeSize);
        }

        Directory.Delete(directory, recursive: true);
    }

    [Fact]
    public async Task Superseded_roots_are_answered_within_the_window_and_gone_after_it()
    {
        await using var node = new TestLogNode
        {
            Change = options =>
            options with { HistoryWindow = TimeSpan.FromSeconds(1), FlushInterval = TimeSpan.FromMilliseconds(100) }
        };
        await node.StartAsync();
        await node.SubmitAsync(([1], [1]));
        var old = await node.HeadAsync();
        await node.SubmitAsync(([2], [2]));
        var request = new GetMapValueRequest { LogID = node.LogId, Key = ByteString.CopyFrom(1), MapRoot = old.MapRoot };
        Assert.False((await node.CallAsync("LogAPI/GetMapValue", request, MapValueResponse.Parser)).Value.IsEmpty);

        await node.SubmitAsync(([3], [3]));
        Assert.False((await node.CallAsync("LogAPI/GetMapValue", request, MapValueResponse.Parser)).Value.IsEmpty);

        for (var tries = 0; await IsAnsweredAsync(node, request); tries++)
        {
            Assert.True(tries < 100, "the root is still answered");
            await Task.Delay(50);
        }

        Assert.Empty(LogCheck.Run(Path.Combine(node.StateDirectory, "test.sqlite"), node.Signer.Key).Faults);
    }

    [Fact]
    public async Task Values_are_found_before_while_and_after_their_rows_move_from_memory_into_the_table()
    {
        await using var node = await new TestLogNode().StartAsync();
        long indexed = 0;
        for (var size = 0UL; indexed < 30_000; size += 10_000)
        {
            await node.WriteAsync("/trustix_rpc.v1.LogRPC/Submit", new SubmitRequest
            {
                LogID = node.LogId,
                Items = { Enumerable.Range((int)size, 10_000).Select(i => new TransparencyLog.Wire.KeyValuePair { Key =
                    ByteString.CopyFromUtf8($"/nix/store/{i:D32}-k"), Value = ByteString.CopyFromUtf8($"v{i}") }) },
            });
            await SizeReachesAsync(node, size + 10_000);
            await AssertFoundAsync(0, 4_999, (int)size, (int)size + 9_999);
            indexed = Indexed();
            Assert.InRange(size, 0UL, 150_000UL);
        }

        await node.StopAsync();
        await node.StartAsync();
        await AssertFoundAsync(0, (int)indexed - 1, (int)indexed, (int)indexed + 1);
        Assert.Empty(LogCheck.Run(Path.Combine(node.StateDirectory, "test.sqlite"), node.Signer.Key).Faults);

        async Task AssertFoundAsync(params int[] numbers)
        {
            foreach (var i in numbers)
            {
                var request = new ValueRequest
                {
                    Digest = ByteString.CopyFrom(
                    System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes($"v{i}")))
                };
                Assert.Equal($"v{i}", (await node.CallAsync("NodeAPI/GetValue", request, ValueResponse.Parser)).Value.ToStringUtf8());
            }
        }

        long Indexed()
        {
            using var database = LogNode.Storage.LogDatabase.OpenToRead(Path.Combine(node.StateDirectory, "test.sqlite"));
            return database.Read(reader => reader.IndexedSize());
        }
    }

    [Fact]
    public async Task A_second_process_and_another_key_are_refused()
    {
        await using var node = await new TestLogNode().StartAsync();
        var error = await Assert.ThrowsAsync<IOException>(() => new TestLogNode(node.StateDirectory, node.Signer).StartAsync());
        Assert.Contains("another trustix-proxy process", error.Message, StringComparison.Ordinal);

        await node.StopAsync();
        var other = await Assert.ThrowsAsync<InvalidDataException>(() => new TestLogNode(node.StateDirectory).StartAsync());
        Assert.Contains("a log keeps its key for life", other.Message, StringComparison.Ordinal);
        await node.StartAsync();
    }

    [Fact]
    public async Task Many_clients_at_once_share_heads_and_all_is_there()
    {
        await using var node = await new TestLogNode().StartAsync();
        await Task.WhenAll(Enumerable.Range(0, 16).Select(async _ =>
        {
            for (var i = 0; i < 20; i++)
            {
                await node.WriteAsync("/trustix_rpc.v1.LogRPC/Submit", Items(node, 3));
                await node.WriteAsync("/trustix_rpc.v1.LogRPC/Flush", new FlushRequest { LogID = node.LogId });
            }
        }));

        var head = await node.HeadAsync();
        Assert.Equal(960UL, head.TreeSize);
        Assert.InRange(head.MHTreeSize, 2UL, 320UL);
        Assert.Empty(LogCheck.Run(Path.Combine(node.StateDirectory, "test.sqlite"), node.Signer.Key).Faults);
    }

    [Fact]
    public async Task The_socket_of_a_node_that_was_killed_is_taken_over()
    {
        var socket = Path.Combine(Path.GetTempPath(), $"trustix-{Guid.NewGuid():n}.sock");
        using (var dead = new System.Net.Sockets.Socket(
            System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, default))
        {
            dead.Bind(new System.Net.Sockets.UnixDomainSocketEndPoint(socket));
            File.Move(socket, $"{socket}.kept"); // closing it would remove it
        }

        File.Move($"{socket}.kept", socket);
        await using var node = new TestLogNode { Change = options => options with { PrivateListen = [$"unix:{socket}"] } };
        await node.StartAsync();
        using var submitter = new Publisher.LogSubmitter(new Uri($"unix:{socket}"), node.Token);

        Assert.Equal(node.LogId, await submitter.FindLogAsync(null, default));
    }

    [Fact]
    public async Task A_node_serves_at_a_unix_socket()
    {
        var socket = Path.Combine(Directory.CreateTempSubdirectory("trustix-log-").FullName, "log.sock");
        await using var node = new TestLogNode { Change = options => options with { PrivateListen = [$"unix:{socket}"] } };
        await node.StartAsync();
        using var submitter = new Publisher.LogSubmitter(new Uri($"unix:{socket}"), node.Token);

        await submitter.SubmitAsync(await submitter.FindLogAsync("test", default), [TestOutput.Make().Statement], default);
        Assert.Equal(1UL, (await node.HeadAsync()).TreeSize);
    }

    [Fact]
    public async Task Health_is_told_on_private_listeners_only()
    {
        await using var node = await new TestLogNode().StartAsync();

        Assert.Equal("ok\n", await node.Client.GetStringAsync(new Uri(node.PrivateUrl, "/healthz")));
        Assert.Equal(HttpStatusCode.NotFound, (await node.Client.GetAsync(new Uri(node.PublicUrl, "/healthz"))).StatusCode);
    }

    [Fact]
    public async Task One_address_that_asks_too_much_is_told_so_and_publishers_are_not_held()
    {
        await using var node = await new TestLogNode().StartAsync();
        var request = new GetConflictsRequest { LogID = node.LogId }; // counts as a hundred
        var refused = 0;
        await Parallel.ForEachAsync(Enumerable.Range(0, 500), new ParallelOptions { MaxDegreeOfParallelism = 32 }, async (_, _) =>
        {
            try
            {
                await node.CallAsync("/trustix_proxy.v1.LookupAPI/GetConflicts", request, GetConflictsResponse.Parser);
            }
            catch (HttpRequestException exception) when (exception.Message.Contains("resource_exhausted", StringComparison.Ordinal))
            {
                Interlocked.Increment(ref refused);
            }
        });

        Assert.NotEqual(0, refused);
        await node.SubmitAsync(([1], [1]));
    }

    /// <summary>Whether a root is answered, rightly; else it has to be "not_found".</summary>
    private static async Task<bool> IsAnsweredAsync(TestLogNode node, GetMapValueRequest request)
    {
        try
        {
            return !(await node.CallAsync("LogAPI/GetMapValue", request, MapValueResponse.Parser)).Value.IsEmpty ? true
                : throw new InvalidDataException("a present key was said to be absent");
        }
        catch (HttpRequestException exception) when (exception.Message.Contains("not_found", StringComparison.Ordinal))
        {
            return false;
        }
    }

    private static async Task SizeReachesAsync(TestLogNode node, ulong size)
    {
        for (var tries = 0; (await node.HeadAsync()).TreeSize < size; tries++)
        {
            Assert.True(tries < 200, "no head came by itself");
            await Task.Delay(25);
        }
    }

    private static int _made;

    private static SubmitRequest Items(TestLogNode node, int count) => new()
    {
        LogID = node.LogId,
        Items = { Enumerable.Range(0, count).Select(_ => new TransparencyLog.Wire.KeyValuePair { Key = ByteString.CopyFromUtf8(
            $"key {Interlocked.Increment(ref _made)}"), Value = ByteString.CopyFromUtf8("v") }) },
    };
}
