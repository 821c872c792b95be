#pragma once
namespace ebpf {
struct TableDesc;
}
