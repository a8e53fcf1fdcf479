using System.Buffers.Binary;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using TrustixProxy.IO.Connections;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Wanted;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Wanted;

/// <summary>The table of wanted paths has a fixed size, and counts each client once.</summary>
public sealed class WantedTableTests
{
    private readonly ManualTime _clock = new();

    [Fact]
    public void A_client_that_asks_1000_times_counts_once_and_changes_nothing_more()
    {
        var (table, wanted) = (NewTable(), Lacking("hello"));
        table.Ask(wanted, Client("10.0.0.1"));
        var version = table.Version;

        for (var i = 0; i < 1000; i++)
        {
            table.Ask(Lacking(wanted.Path), Client("10.0.0.1"));
        }

        Assert.Equal((1, version), (Assert.Single(table.Rows).Clients.Count, table.Version));
        table.Ask(wanted, Client("10.0.0.2"));
        Assert.Equal(2, Assert.Single(table.Rows).Clients.Count);
    }

    [Fact]
    public void Addresses_of_one_ipv6_network_are_one_client_and_a_mapped_ipv4_address_is_that_address()
    {
        var (table, wanted) = (NewTable(), Lacking("hello"));
        foreach (var address in new[] { "2001:db8::1", "2001:db8::2", "10.0.0.1", "::ffff:10.0.0.1", "2001:db8:0:1::1" })
        {
            table.Ask(wanted, Client(address));
        }

        Assert.Equal(3, Assert.Single(table.Rows).Clients.Count);
    }

    [Fact]
    public void A_million_random_paths_take_no_more_than_the_capacity_and_displace_none_that_two_clients_ask_for()
    {
        var (table, kept) = (NewTable(), Enumerable.Range(0, 20).Select(i => Lacking($"kept-{i}")).ToList());
        foreach (var wanted in kept)
        {
            table.Ask(wanted, Client("10.0.0.1"));
            table.Ask(wanted, Client("10.0.0.2"));
        }

        var before = GC.GetTotalMemory(forceFullCollection: true);
        for (var i = 0; i < 1_000_000; i++)
        {
            table.Ask(Lacking("random"), Client("10.0.0.3"));
        }

        var growth = GC.GetTotalMemory(forceFullCollection: true) - before;
        Assert.InRange(table.Rows.Count, WantedTable.Capacity * 9 / 10, WantedTable.Capacity);
        Assert.Empty(kept.Select(wanted => wanted.Path).Except(table.Rows.Select(row => row.Wanted.Path)));
        Assert.InRange(growth, long.MinValue, 8 << 20);
    }

    [Fact]
    public void Clients_are_counted_exactly_below_64_and_about_right_above()
    {
        var sketch = ClientSketch.Empty;
        for (var i = 1; i <= 100_000; i++)
        {
            sketch = sketch.With(Hash(i));
            if (i < ClientSketch.Size)
            {
                Assert.Equal(i, sketch.Count);
                Assert.Equal(sketch, sketch.With(Hash(i)));
            }
        }

        Assert.InRange(sketch.Count, 60_000, 140_000);
        Assert.Equal(ClientSketch.Size, sketch.Hashes.Length);
        Assert.True(sketch.IsSound);
    }

    [Fact]
    public void A_path_that_nobody_asks_for_any_more_leaves_after_30_days()
    {
        var (table, old, young) = (NewTable(), Lacking("old"), Lacking("young"));
        table.Ask(old, Client("10.0.0.1"));
        table.Ask(young, Client("10.0.0.1"));

        _clock.Now += WantedTable.Lifetime - TimeSpan.FromHours(1);
        table.Ask(Lacking(young.Path), Client("10.0.0.1"));
        _clock.Now += TimeSpan.FromHours(2);
        table.Prune(new PrivateNames([]));

        Assert.Equal(young.Path, Assert.Single(table.Rows).Wanted.Path);
    }

    [Fact]
    public void Private_names_and_their_derivations_are_left_out()
    {
        var table = NewTable();
        var requests = new WantedRequests(table, new PrivateNames(["acme-*", "secret"]));
        var shown = Lacking("hello") with
        {
            Derivers = [TestOutput.PathOf("acme-all.drv"), TestOutput.PathOf("secret.drv"), TestOutput.PathOf("hello.drv")],
        };

        requests.Note(Lacking("acme-tool"), IPAddress.Loopback);
        requests.Note(Lacking("secret"), IPAddress.Loopback);
        requests.Note(null, IPAddress.Loopback);
        requests.Note(shown, null);

        var row = Assert.Single(table.Rows);
        Assert.Equal((shown.Path, "hello.drv"), (row.Wanted.Path, Assert.Single(row.Wanted.Derivers).Name));
        table.Prune(new PrivateNames(["hello*"]));
        Assert.Empty(table.Rows);
    }

    internal static WantedPath Lacking(string name) => Lacking(TestOutput.PathOf(name));

    internal static WantedPath Lacking(StorePath path) => new(path, WantedReason.Votes, ["alice"], []);

    internal static ClientAddress Client(string address) => ClientAddress.Of(IPAddress.Parse(address));

    private WantedTable NewTable() => new([1, 2, 3], _clock);

    private static ulong Hash(int number) =>
        BinaryPrimitives.ReadUInt64BigEndian(SHA256.HashData(Encoding.ASCII.GetBytes($"{number}")));
}
